"""The wall between clients: whose jobs may be seen."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement

from core.db.schema import jobs


@dataclass(frozen=True, slots=True)
class Wall:
    """Whose jobs may be seen: those of one client, or of all (`client_id` None: staff)."""

    client_id: str | None


def of_clients(column: ColumnElement[Any], wall: Wall, client_id: str | None = None) -> list[ColumnElement[bool]]:
    """List the conditions under which a row, whose client stands in `column`, may be seen and is of `client_id`.

    The one place where the wall's condition is written.
    """
    wanted = dict.fromkeys(each for each in (wall.client_id, client_id) if each is not None)
    return [column == each for each in wanted]


def is_one(job_id: UUID, wall: Wall) -> list[ColumnElement[bool]]:
    """List the conditions that mean one job, behind the wall."""
    return [jobs.c.job_id == job_id, *of_clients(jobs.c.client_id, wall)]
