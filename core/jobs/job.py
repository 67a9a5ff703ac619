"""One job: what it is, its text, every log of it, its neighbours in a list, and how often its prompt came before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Select, func, literal_column, select, text, true

from core.db.database import Folding
from core.db.schema import jobs, moderation_logs
from core.jobs.filter import JobFilter
from core.jobs.hidden_text import Texts
from core.jobs.query import JOB_COLUMNS, PageKey, Wall, above_query, latest_log, page_query, run_search

# Logs of one job that are shown, the latest; more than a handful is a fault of the service.
MOST_LOGS = 100

# Jobs with the same prompt that are looked at: beyond these the number is told as "at least".
MOST_SAME = 10_000


@dataclass(frozen=True, slots=True)
class JobTexts:
    """Prompt and reason of a job, each with no more than so many of its first characters, and their lengths.

    Null where the job has none.
    """

    prompt: str | None
    prompt_length: int
    reason: str | None
    reason_length: int


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


def find_job(connection: Connection, job_id: UUID, wall: Wall) -> Row[Any] | None:
    """Return a job without its texts, or None where the wall hides it or there is none."""
    query = select(*JOB_COLUMNS).select_from(jobs.outerjoin(latest_log, true())).where(*_is_one(job_id, wall))
    return connection.execute(query).one_or_none()


def read_texts(connection: Connection, job_id: UUID, wall: Wall, *, longest: int | None) -> JobTexts | None:
    """Read prompt and reason, at most `longest` characters of each (None: all of them)."""
    columns: list[ColumnElement[Any]] = []
    for column in (jobs.c.prompt, jobs.c.reason):
        shown = column if longest is None else func.left(column, longest)
        columns += [shown, func.coalesce(func.length(column), 0)]
    row = connection.execute(select(*columns).where(*_is_one(job_id, wall))).one_or_none()
    return None if row is None else JobTexts(*row)


def list_logs(connection: Connection, job_id: UUID, wall: Wall) -> list[Row[Any]]:
    """List the moderation logs of a job in their order, the one that counts last; of very many, the latest."""
    query = (
        select(moderation_logs)
        .join(jobs, jobs.c.job_id == moderation_logs.c.job_id)
        .where(*_is_one(job_id, wall))
        .order_by(moderation_logs.c.created_at.desc(), moderation_logs.c.log_id.desc())
        .limit(MOST_LOGS)
    )
    return list(connection.execute(query))[::-1]


def find_older(
    connection: Connection, job_filter: JobFilter, wall: Wall, folding: Folding, key: PageKey
) -> PageKey | None:
    """Return the next older job of a filter after a place, or None."""
    query = page_query(job_filter, wall, folding, after=key, limit=1, texts=Texts.NONE)
    return _first_key(run_search(connection, query, job_filter, folding))


def find_newer(
    connection: Connection, job_filter: JobFilter, wall: Wall, folding: Folding, key: PageKey
) -> PageKey | None:
    """Return the next newer job of a filter before a place, or None."""
    # The job at the place itself stands above it.
    query = above_query(job_filter, wall, folding, key, limit=2)
    return _first_key([row for row in run_search(connection, query, job_filter, folding) if row.job_id != key.job_id])


def find_same_prompt(connection: Connection, job_id: UUID, wall: Wall) -> SamePrompt | None:
    """Count the jobs that bear the same prompt, behind the wall; None where the job has no prompt.

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


def list_clients(connection: Connection, wall: Wall, *, limit: int) -> list[str]:
    """List the clients that have jobs, in the order of their names, at most so many.

    A step through an index for each, because a plain DISTINCT would read all jobs.
    """
    if wall.client_id is not None:
        return [wall.client_id]
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


def _is_one(job_id: UUID, wall: Wall) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [jobs.c.job_id == job_id]
    if wall.client_id is not None:
        conditions.append(jobs.c.client_id == wall.client_id)
    return conditions


def _have_same_prompt(query: Select[Any], job_id: UUID, wall: Wall) -> Select[Any]:
    """Narrow a query over jobs to those with the prompt of one."""
    # Equal hashes are looked up in the index, and the texts compared where they are equal: hashes may collide.
    one = select(jobs.c.prompt).where(*_is_one(job_id, wall)).cte("one").prefix_with("MATERIALIZED")
    hashed = select(_hash(one.c.prompt)).scalar_subquery()
    query = query.where(_hash(jobs.c.prompt) == hashed, jobs.c.prompt == select(one.c.prompt).scalar_subquery())
    return query if wall.client_id is None else query.where(jobs.c.client_id == wall.client_id)


def _hash(prompt: ColumnElement[Any]) -> ColumnElement[int]:
    # As the index is written.
    return func.hashtextextended(prompt, literal_column("0"))


def _first_key(rows: Sequence[Row[Any]]) -> PageKey | None:
    return PageKey(rows[0].created_at, rows[0].job_id) if rows else None
