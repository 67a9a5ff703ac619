"""The wall between clients: whose jobs may be seen, and the clients that stand behind it."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, select, text

from core.db.schema import jobs
from core.db.topology import topology_of


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


def list_clients(connection: Connection, wall: Wall, *, limit: int) -> list[str]:
    """List the clients that have jobs, in the order of their names, at most so many.

    A step through an index for each, because a plain DISTINCT would read all jobs. Where these are distributed, no
    node can take such a step alone: there all of them read theirs, side by side.
    """
    if wall.client_id is not None:
        return [wall.client_id]
    if topology_of(connection).is_distributed:
        query = select(jobs.c.client_id).where(jobs.c.client_id.is_not(None)).group_by(jobs.c.client_id)
        return list(connection.execute(query.order_by(jobs.c.client_id).limit(limit)).scalars())
    steps = text("""
        WITH RECURSIVE step (client_id) AS (
            (SELECT min(client_id) FROM jobs)
            UNION ALL
            SELECT (SELECT min(client_id) FROM jobs WHERE client_id > step.client_id) FROM step
            WHERE step.client_id IS NOT NULL
        )
        SELECT client_id FROM step WHERE client_id IS NOT NULL LIMIT :limit
    """)
    return list(connection.execute(steps, {"limit": limit}).scalars())
