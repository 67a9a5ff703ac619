"""Every verdict that was ever given on a job, for those who look at it from outside."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select

from core.db.database import Database
from core.db.schema import reviews
from core.instants import print_exact
from core.jobs.wall import Wall, of_clients


def list_reviews(database: Database, wall: Wall, job_id: UUID) -> list[Row[Any]]:
    """List every verdict on a job, also those that were superseded, in the order in which they were given."""
    query = select(reviews).where(reviews.c.job_id == job_id, *of_clients(reviews.c.client_id, wall))
    with database.transaction() as connection:
        return list(connection.execute(query.order_by(reviews.c.review_id)))


def print_review(row: Row[Any]) -> dict[str, Any]:
    """Return a verdict as JSON values, under the names of its columns."""
    return {name: _json_value(value) for name, value in row._mapping.items()}


def _json_value(value: Any) -> Any:
    match value:
        case UUID():
            return str(value)
        case datetime():
            return print_exact(value)
        case _:
            return value
