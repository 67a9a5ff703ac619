"""One job: what it is, its text, every log of it, its neighbours in a list, and how often its prompt came before."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Text, and_, case, cast, func, null, select, true

from core.db.schema import jobs, moderation_logs
from core.db.topology import IsOnOneNode
from core.jobs.access import JobAccess
from core.jobs.filter import JobFilter
from core.jobs.pages import JOB_COLUMNS
from core.jobs.query import key_column, latest_log, select_jobs
from core.jobs.wall import Wall, is_told, of_clients

# Logs of one job that are shown, the latest; more than a handful is a fault of the service.
MOST_LOGS = 100


@dataclass(frozen=True, slots=True)
class JobTexts:
    """Prompt and reason of a job, each with no more than so many of its first characters, and their lengths.

    Null where the job has none.
    """

    prompt: str | None
    prompt_length: int
    reason: str | None
    reason_length: int


def is_one(job_id: UUID, wall: Wall) -> list[ColumnElement[bool]]:
    """List the conditions that mean one job, behind the wall."""
    return [jobs.c.job_id == job_id, *of_clients(jobs.c.client_id, wall)]


def find_job(
    connection: Connection, job_id: UUID, wall: Wall, more: Sequence[ColumnElement[Any]] = ()
) -> Row[Any] | None:
    """Return a job without its texts, or None where the wall hides it or there is none; with `more` columns of it."""
    query = select(*JOB_COLUMNS, *more).select_from(jobs.outerjoin(latest_log, true())).where(*is_one(job_id, wall))
    return connection.execute(query).one_or_none()


def api_key_columns(access: JobAccess) -> list[ColumnElement[Any]]:
    """List what tells which API key a job was submitted with; null where the source does not say."""
    return [key_column(access, column).label(column.name) for column in (jobs.c.api_key_id, jobs.c.api_key_name)]


def read_texts(
    connection: Connection, job_id: UUID, wall: Wall, *, longest: int | None, with_prompt: bool = True
) -> JobTexts | None:
    """Read prompt and reason, at most `longest` characters of each (None: all of them), or the reason alone.

    Both are null where the wall withholds them; alone the reason is the name of a rule, which is never withheld.
    """
    columns: list[ColumnElement[Any]] = []
    told = is_told(wall) if with_prompt else true()
    for text in (jobs.c.prompt if with_prompt else cast(null(), Text), jobs.c.reason):
        column = case((told, text)) if wall.withheld else text
        shown = column if longest is None else func.left(column, longest)
        columns += [shown, func.coalesce(func.length(column), 0)]
    row = connection.execute(select(*columns).where(*is_one(job_id, wall))).one_or_none()
    return None if row is None else JobTexts(*row)


def list_logs(connection: Connection, job_id: UUID, wall: Wall) -> list[Row[Any]]:
    """List the moderation logs of a job in their order, the one that counts last; of very many, the latest."""
    query = (
        select(moderation_logs)
        .join(jobs, and_(jobs.c.job_id == moderation_logs.c.job_id, IsOnOneNode()))
        .where(*is_one(job_id, wall))
        .order_by(moderation_logs.c.created_at.desc(), moderation_logs.c.log_id.desc())
        .limit(MOST_LOGS)
    )
    return list(connection.execute(query))[::-1]


def find_jobs(connection: Connection, job_filter: JobFilter, access: JobAccess, ids: Sequence[UUID]) -> list[Row[Any]]:
    """Return those of some jobs that a filter means and the wall allows, without their texts."""
    query = select_jobs(job_filter, access, list(JOB_COLUMNS))
    return list(connection.execute(query.where(jobs.c.job_id == func.any(list(ids)))))


def find_with_reason(
    connection: Connection, wall: Wall, ids: Sequence[UUID], reasons: Sequence[str]
) -> dict[UUID, str]:
    """Return the reasons of those of some jobs that have one of some reasons."""
    query = select(jobs.c.job_id, jobs.c.reason).where(jobs.c.job_id == func.any(list(ids)))
    query = query.where(jobs.c.reason.in_(reasons), *of_clients(jobs.c.client_id, wall))
    return {row.job_id: row.reason for row in connection.execute(query)}


def is_any_there(connection: Connection) -> bool:
    """Tell whether there is any job, whoever may see it."""
    return connection.execute(select(jobs.c.job_id).limit(1)).first() is not None


def read_decisions(connection: Connection, wall: Wall, ids: Sequence[UUID]) -> dict[UUID, bool | None]:
    """Return the decisions that some jobs have now; those that are gone or behind the wall are not there."""
    query = select(jobs.c.job_id, jobs.c.is_prohibited).where(jobs.c.job_id == func.any(list(ids)))
    rows = connection.execute(query.where(*of_clients(jobs.c.client_id, wall)))
    return {row.job_id: row.is_prohibited for row in rows}
