"""Pages of jobs, newest first, and the neighbours of a job in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    case,
    func,
    select,
)

from core.db.schema import jobs
from core.jobs.access import JobAccess
from core.jobs.filter import Category, JobFilter
from core.jobs.hidden_text import Texts, text_is_read
from core.jobs.query import (
    JOB_KEY,
    PageKey,
    Slice,
    conditions_of,
    in_part,
    latest_log,
    narrow_to,
    run_search,
    select_jobs,
    tables_of,
)
from core.jobs.wall import Wall, of_clients

# Characters of a prompt or a reason that a list shows; a prompt may have megabytes.
PREVIEW_LENGTH = 300


# What a list shows of a job beside its texts.
JOB_COLUMNS: tuple[ColumnElement[Any], ...] = (
    *(jobs.c.job_id, jobs.c.client_id, jobs.c.type, jobs.c.status, jobs.c.is_prohibited),
    *(jobs.c.created_at, jobs.c.completed_at),
    *(latest_log.c[category.column] for category in Category),
    latest_log.c.evaluated,
)


@dataclass(frozen=True, slots=True)
class Page:
    """Jobs in the order newest first, and the keys that lead to its neighbours (None: there is none).

    `previous` is the key after which the previous page begins; the first page has the key None, so whether there is
    a previous page is told by `has_previous`.
    """

    rows: list[Row[Any]]
    next: PageKey | None
    has_previous: bool
    previous: PageKey | None


def page_jobs(
    connection: Connection,
    job_filter: JobFilter,
    access: JobAccess,
    *,
    after: PageKey | None,
    limit: int,
    texts: Texts,
) -> Page:
    """Read a page of at most `limit` jobs, newest first, that come after a key.

    `prompt` and `reason` are read only of jobs whose `texts` are, and only their first 300 characters: what is hidden
    never leaves the database.
    """
    query = page_query(job_filter, access, after=after, limit=limit + 1, texts=texts)
    found = run_search(connection, query, job_filter, access)
    rows = found[:limit]
    following = PageKey(rows[-1].created_at, rows[-1].job_id) if len(found) > limit else None
    if after is None:
        return Page(rows, following, has_previous=False, previous=None)
    # The page before begins after the job that stands `limit` places further up, if there are so many.
    query = above_query(job_filter, access, after, limit=limit + 1)
    above = run_search(connection, query, job_filter, access)
    previous = PageKey(above[limit].created_at, above[limit].job_id) if len(above) > limit else None
    return Page(rows, following, has_previous=bool(above), previous=previous)


def find_newest(connection: Connection, wall: Wall, client_id: str | None) -> datetime | None:
    """Return when the newest job was created, of a client where one is given, or None where there is none."""
    newest: datetime | None = connection.execute(newest_query(wall, client_id)).scalar_one()
    return newest


def newest_query(wall: Wall, client_id: str | None) -> Select[Any]:
    """Build the query that looks at the end of an index."""
    # A source of somebody's own may have `infinity`.
    finite = jobs.c.created_at <= datetime.max.replace(tzinfo=UTC)
    return select(func.max(jobs.c.created_at)).where(finite, *of_clients(jobs.c.client_id, wall, client_id))


def page_query(
    job_filter: JobFilter, access: JobAccess, *, after: PageKey | None, limit: int, texts: Texts
) -> Select[Any]:
    """Build the query of a page, newest first."""
    columns = list(JOB_COLUMNS)
    if texts is not Texts.NONE:
        columns += [
            case((text_is_read(texts), func.left(column, PREVIEW_LENGTH))).label(column.name)
            for column in (jobs.c.prompt, jobs.c.reason)
        ]
    older = Slice(None, after)
    query = in_part(select_jobs(narrow_to(job_filter, older), access, columns), older)
    return query.order_by(*(column.desc() for column in JOB_KEY)).limit(limit)


def above_query(job_filter: JobFilter, access: JobAccess, after: PageKey, *, limit: int) -> Select[Any]:
    """Build the query of the keys that stand before a page, from the nearest one upwards."""
    newer = Slice(after, None)
    narrowed = narrow_to(job_filter, newer)
    query = select(*JOB_KEY).select_from(tables_of(job_filter)).where(*conditions_of(narrowed, access))
    return in_part(query, newer).order_by(*JOB_KEY).limit(limit)


def find_older(connection: Connection, job_filter: JobFilter, access: JobAccess, key: PageKey) -> PageKey | None:
    """Return the next older job of a filter after a place, or None."""
    query = page_query(job_filter, access, after=key, limit=1, texts=Texts.NONE)
    return _first_key(run_search(connection, query, job_filter, access))


def find_newer(connection: Connection, job_filter: JobFilter, access: JobAccess, key: PageKey) -> PageKey | None:
    """Return the next newer job of a filter before a place, or None."""
    # The job at the place itself stands above it.
    query = above_query(job_filter, access, key, limit=2)
    return _first_key([row for row in run_search(connection, query, job_filter, access) if row.job_id != key.job_id])


def _first_key(rows: Sequence[Row[Any]]) -> PageKey | None:
    return PageKey(rows[0].created_at, rows[0].job_id) if rows else None
