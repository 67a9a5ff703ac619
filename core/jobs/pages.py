"""Pages of jobs, newest first, and the neighbours of a job in them."""

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
from core.errors import QueryTooSlow
from core.jobs.access import NOTHING_NOTED, JobAccess, NotedReasons
from core.jobs.fact_query import asks_for_facts, see_facts
from core.jobs.filter import Category, JobFilter
from core.jobs.hidden_text import (
    Texts,
    reason_columns,
    reason_is_read,
    text_is_read,
)
from core.jobs.query import (
    JOB_KEY,
    PageKey,
    Slice,
    latest_log,
)
from core.jobs.search import Search, find_rows
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
    a previous page is told by `has_previous`. `searched_to` is how far a search has come that found fewer in its time.
    """

    rows: list[Row[Any]]
    next: PageKey | None
    has_previous: bool
    previous: PageKey | None
    searched_to: PageKey | None = None


def page_jobs(
    connection: Connection,
    job_filter: JobFilter,
    access: JobAccess,
    *,
    after: PageKey | None,
    limit: int,
    texts: Texts,
    noted: NotedReasons = NOTHING_NOTED,
) -> Page:
    """Read a page of at most `limit` jobs, newest first, that come after a key.

    `prompt` and `reason` are read only of jobs whose `texts` are, and only their first 300 characters: what is hidden
    never leaves the database. A reason that is the name of a rule is read always. A search that takes long gives what
    it has found so far; `next` is where it goes on then.
    """
    search = make_search(connection, job_filter, access)
    older, newer = Slice(None, after), Slice(after, None)
    found = find_rows(
        connection, search, page_columns(texts, access, noted), older, is_newest_first=True, limit=limit + 1
    )
    rows = list(found.rows[:limit])
    following = PageKey(rows[-1].created_at, rows[-1].job_id) if len(found.rows) > limit else found.searched_to
    if after is None:
        return Page(rows, following, has_previous=False, previous=None, searched_to=found.searched_to)
    # The page before begins after the job that stands `limit` places further up, if there are so many.
    up = find_rows(connection, search, JOB_KEY, newer, is_newest_first=False, limit=limit + 1)
    previous = PageKey(up.rows[limit].created_at, up.rows[limit].job_id) if len(up.rows) > limit else None
    has_previous = bool(up.rows) or up.searched_to is not None
    return Page(rows, following, has_previous=has_previous, previous=previous, searched_to=found.searched_to)


def list_keys(
    connection: Connection,
    job_filter: JobFilter,
    access: JobAccess,
    *,
    after: PageKey | None,
    limit: int,
    is_newest_first: bool,
) -> tuple[list[PageKey], PageKey | None]:
    """List the keys of at most `limit` jobs that come after one, and where the list goes on (None: nowhere)."""
    part = Slice(None, after) if is_newest_first else Slice(after, None)
    search = make_search(connection, job_filter, access)
    # One more tells whether the list goes on; from the oldest on the job at the place itself is read, too.
    found = find_rows(connection, search, JOB_KEY, part, is_newest_first=is_newest_first, limit=limit + 2)
    keys = [key for row in found.rows if (key := PageKey(row.created_at, row.job_id)) != after]
    return keys[:limit], keys[limit - 1] if len(keys) > limit else found.searched_to


def make_search(connection: Connection, job_filter: JobFilter, access: JobAccess) -> Search:
    """Say how the jobs of a filter are found: by facts, where these tell some apart and can be used."""
    # A beginning of an id, or a reason where an index has them, leaves fewer jobs than any fact.
    is_found = job_filter.job_id or (access.jobs_are_ours and job_filter.reason is not None)
    if is_found or not asks_for_facts(job_filter):
        return Search(job_filter, access, by_facts=False)
    seen = see_facts(connection, access)
    return Search(job_filter, seen, by_facts=seen.has_facts)


def page_columns(texts: Texts, access: JobAccess, noted: NotedReasons = NOTHING_NOTED) -> list[ColumnElement[Any]]:
    """List what a page reads of a job."""
    reason = case((reason_is_read(texts, access, noted), func.left(jobs.c.reason, PREVIEW_LENGTH))).label("reason")
    columns = [*JOB_COLUMNS, *reason_columns(access, noted), reason]
    if texts is Texts.NONE:
        return columns
    return [
        *columns,
        case((text_is_read(texts, access, noted), func.left(jobs.c.prompt, PREVIEW_LENGTH))).label("prompt"),
    ]


def find_newest(connection: Connection, wall: Wall, client_id: str | None) -> datetime | None:
    """Return when the newest job was created, of a client where one is given, or None where there is none."""
    newest: datetime | None = connection.execute(newest_query(wall, client_id)).scalar_one()
    return newest


def newest_query(wall: Wall, client_id: str | None) -> Select[Any]:
    """Build the query that looks at the end of an index."""
    # A source of somebody's own may have `infinity`.
    finite = jobs.c.created_at <= datetime.max.replace(tzinfo=UTC)
    return select(func.max(jobs.c.created_at)).where(finite, *of_clients(jobs.c.client_id, wall, client_id))


def find_older(connection: Connection, job_filter: JobFilter, access: JobAccess, key: PageKey) -> PageKey | None:
    """Return the next older job of a filter after a place, or None."""
    return _find_key(connection, job_filter, access, Slice(None, key))


def find_newer(connection: Connection, job_filter: JobFilter, access: JobAccess, key: PageKey) -> PageKey | None:
    """Return the next newer job of a filter before a place, or None."""
    return _find_key(connection, job_filter, access, Slice(key, None))


def _find_key(connection: Connection, job_filter: JobFilter, access: JobAccess, part: Slice) -> PageKey | None:
    """Find the first key of a part on one side of a place; raise `QueryTooSlow` where a search does not get to it."""
    search = make_search(connection, job_filter, access)
    is_older = part.start is None
    # The job at the place itself stands above it.
    found = find_rows(connection, search, JOB_KEY, part, is_newest_first=is_older, limit=1 if is_older else 2)
    keys = [PageKey(row.created_at, row.job_id) for row in found.rows]
    keys = [key for key in keys if key != part.start]
    if not keys and found.searched_to is not None:
        raise QueryTooSlow("No other job of this search was found in time: add a filter, or choose fewer days.")
    return keys[0] if keys else None
