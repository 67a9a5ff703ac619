"""The jobs that bear the same prompt."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Select, func, literal_column, select, true

from core.db.schema import jobs
from core.jobs.job import is_one
from core.jobs.pages import JOB_COLUMNS
from core.jobs.query import latest_log
from core.jobs.wall import Wall, is_told, of_clients

# Jobs with the same prompt that are looked at: beyond these the number is told as "at least".
MOST_SAME = 10_000


@dataclass(frozen=True, slots=True)
class SamePrompt:
    """The jobs that bear the same prompt, this one included: how many of which client, the first and the last.

    `is_complete` is False where there are more than were looked at.
    """

    clients: Sequence[tuple[str, int]]
    first: datetime
    last: datetime
    is_complete: bool

    @property
    def total(self) -> int:
        return sum(count for _, count in self.clients)


def find_same_prompt(connection: Connection, job_id: UUID, wall: Wall) -> SamePrompt | None:
    """Count the jobs that bear the same prompt, behind the wall; None without a prompt that is told.

    It takes an index of prompts' hashes (migration `jobs_0005`), which only a source of ours is sure to have.
    """
    alike = _have_same_prompt(select(jobs.c.client_id, jobs.c.created_at), job_id, wall)
    found = alike.limit(MOST_SAME + 1).subquery()
    query = (
        select(found.c.client_id, func.count(), func.min(found.c.created_at), func.max(found.c.created_at))
        .group_by(found.c.client_id)
        .order_by(func.count().desc(), found.c.client_id)
    )
    rows = list(connection.execute(query))
    if not rows:
        return None
    clients = [(row[0], row[1]) for row in rows]
    total = sum(count for _, count in clients)
    return SamePrompt(clients, min(row[2] for row in rows), max(row[3] for row in rows), total <= MOST_SAME)


def list_same_prompt(
    connection: Connection, job_id: UUID, wall: Wall, *, after: UUID | None = None, limit: int
) -> list[Row[Any]]:
    """List decided jobs that bear the same prompt, this one included, without their texts, at most so many.

    They are in the order of their ids; `after` is the one after which the list goes on.
    """
    query = select(*JOB_COLUMNS).select_from(jobs.outerjoin(latest_log, true()))
    query = _have_same_prompt(query, job_id, wall).where(jobs.c.is_prohibited.is_not(None))
    if after is not None:
        query = query.where(jobs.c.job_id > after)
    return list(connection.execute(query.order_by(jobs.c.job_id).limit(limit)))


def _have_same_prompt(query: Select[Any], job_id: UUID, wall: Wall) -> Select[Any]:
    """Narrow a query over jobs to those with the prompt of one."""
    # Equal hashes are looked up in the index, and the texts compared where they are equal: hashes may collide.
    one = select(jobs.c.prompt).where(*is_one(job_id, wall), is_told(wall)).cte("one").prefix_with("MATERIALIZED")
    hashed = select(_hash(one.c.prompt)).scalar_subquery()
    query = query.where(_hash(jobs.c.prompt) == hashed, jobs.c.prompt == select(one.c.prompt).scalar_subquery())
    return query.where(*of_clients(jobs.c.client_id, wall))


def _hash(prompt: ColumnElement[Any]) -> ColumnElement[int]:
    # As the index is written.
    return func.hashtextextended(prompt, literal_column("0"))
