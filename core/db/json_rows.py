"""Rows as JSON tells them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from core.instants import print_exact


def print_row(row: Row[Any]) -> dict[str, Any]:
    """Return the values of a row under the names of its columns: ids as text, instants in UTC to the microsecond."""
    return {name: _print_value(value) for name, value in row._mapping.items()}


def _print_value(value: Any) -> Any:
    match value:
        case UUID():
            return str(value)
        case datetime():
            return print_exact(value)
        case _:
            return value
