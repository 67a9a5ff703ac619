"""Every verdict that was ever given on a job, for those who look at it from outside."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, select

from core.db.database import Database
from core.db.schema import reviews
from core.jobs.wall import Wall, of_clients


def list_reviews(database: Database, wall: Wall, job_id: UUID) -> list[Row[Any]]:
    """List every verdict on a job, also those that were superseded, in the order in which they were given."""
    query = select(reviews).where(reviews.c.job_id == job_id, *of_clients(reviews.c.client_id, wall))
    with database.transaction() as connection:
        return list(connection.execute(query.order_by(reviews.c.review_id)))
