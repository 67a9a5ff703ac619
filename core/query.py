"""The filtered, joined query over jobs; an export, a page and a count are variations of it.

The only module that selects jobs. Whose jobs they may be (the wall) is decided by the caller and built in here.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    collate,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    tuple_,
)

from core.database import Folding
from core.filters import Category, Cell, Decision, JobFilter
from core.schema import jobs, moderation_logs

# The log that counts is the latest: greatest (created_at, log_id). One row a job, so the join repeats none and, being
# an outer one, drops none.
latest_log = (
    select(
        literal_column("true").label("evaluated"),
        *(moderation_logs.c[category.column] for category in Category),
    )
    .where(moderation_logs.c.job_id == jobs.c.job_id)
    .order_by(moderation_logs.c.created_at.desc(), moderation_logs.c.log_id.desc())
    .limit(1)
    .lateral("latest_log")
)

# Characters of a prompt or a reason that a list shows; a prompt may have megabytes.
PREVIEW_LENGTH = 300

JOB_KEY = (jobs.c.created_at, jobs.c.job_id)


@dataclass(frozen=True, slots=True)
class Wall:
    """Whose jobs may be seen: those of one client, or of all (`client_id` None: staff)."""

    client_id: str | None


@dataclass(frozen=True, slots=True)
class PageKey:
    """A place between two jobs in a list that is ordered by (created_at, job_id)."""

    created_at: datetime
    job_id: UUID


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


def select_jobs(job_filter: JobFilter, wall: Wall, folding: Folding, columns: list[ColumnElement[Any]]) -> Select[Any]:
    """Select columns of the jobs that the filter means and the wall allows, joined with the latest log of each."""
    query = select(*columns).select_from(jobs.outerjoin(latest_log, true()))
    return query.where(*_conditions(job_filter, wall, folding))


def in_order(query: Select[Any]) -> Select[Any]:
    """Sort as exports are: by (created_at, job_id), ascending."""
    return query.order_by(*JOB_KEY)


def count_jobs(
    connection: Connection, job_filter: JobFilter, wall: Wall, folding: Folding, *, limit: int | None = None
) -> int:
    """Count the matching jobs; with a limit, no further than that."""
    return int(connection.execute(count_query(job_filter, wall, folding, limit=limit)).scalar_one())


def count_query(job_filter: JobFilter, wall: Wall, folding: Folding, *, limit: int | None = None) -> Select[Any]:
    """Build the query that counts the matching jobs. The logs are joined only where the filter asks for them."""
    source = jobs.outerjoin(latest_log, true()) if _asks_for_log(job_filter) else jobs
    matching = select(literal(1)).select_from(source).where(*_conditions(job_filter, wall, folding)).limit(limit)
    return select(func.count()).select_from(matching.subquery())


def page_jobs(
    connection: Connection,
    job_filter: JobFilter,
    wall: Wall,
    folding: Folding,
    *,
    after: PageKey | None,
    limit: int,
    with_text: bool,
) -> Page:
    """Read a page of at most `limit` jobs, newest first, that come after a key.

    `prompt` and `reason` are read only `with_text`, and only their first 300 characters: what is hidden never leaves
    the database.
    """
    columns: list[ColumnElement[Any]] = [
        *(jobs.c.job_id, jobs.c.client_id, jobs.c.type, jobs.c.status, jobs.c.is_prohibited),
        *(jobs.c.created_at, jobs.c.completed_at),
        *(latest_log.c[category.column] for category in Category),
        latest_log.c.evaluated,
    ]
    if with_text:
        columns += [func.left(column, PREVIEW_LENGTH).label(column.name) for column in (jobs.c.prompt, jobs.c.reason)]
    newest_first = [column.desc() for column in JOB_KEY]
    query = select_jobs(job_filter, wall, folding, columns).order_by(*newest_first).limit(limit + 1)
    if after is not None:
        query = query.where(tuple_(*JOB_KEY) < tuple_(literal(after.created_at), literal(after.job_id)))
    found = list(connection.execute(query))
    rows = found[:limit]
    following = PageKey(rows[-1].created_at, rows[-1].job_id) if len(found) > limit else None
    if after is None:
        return Page(rows, following, has_previous=False, previous=None)
    # The page before begins after the job that stands `limit` places further up, if there are so many.
    up = (
        select_jobs(job_filter, wall, folding, list(JOB_KEY))
        .where(tuple_(*JOB_KEY) >= tuple_(literal(after.created_at), literal(after.job_id)))
        .order_by(*JOB_KEY)
        .limit(limit + 1)
    )
    before = [PageKey(*row) for row in connection.execute(up)]
    previous = before[limit] if len(before) > limit else None
    return Page(rows, following, has_previous=bool(before), previous=previous)


def _asks_for_log(job_filter: JobFilter) -> bool:
    return bool(job_filter.category or job_filter.no_category or job_filter.cells or job_filter.evaluated is not None)


def _conditions(job_filter: JobFilter, wall: Wall, folding: Folding) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [
        jobs.c.created_at >= job_filter.range.start,
        jobs.c.created_at < job_filter.range.end,
    ]
    if wall.client_id is not None:
        conditions.append(jobs.c.client_id == wall.client_id)
    if job_filter.client_id is not None:
        conditions.append(jobs.c.client_id == job_filter.client_id)
    if job_filter.type:
        conditions.append(jobs.c.type.in_(job_filter.type))
    if job_filter.status:
        conditions.append(jobs.c.status.in_(job_filter.status))
    if job_filter.decision:
        conditions.append(or_(false(), *(_DECISIONS[decision] for decision in job_filter.decision)))
    if job_filter.category:
        conditions.append(or_(false(), *(latest_log.c[category.column] for category in job_filter.category)))
    if job_filter.no_category:
        none_true = (func.coalesce(latest_log.c[category.column], false()) == false() for category in Category)
        conditions.append(and_(latest_log.c.evaluated.is_not(None), *none_true))
    for category, cell in job_filter.cells.items():
        conditions.append(_cell_is(latest_log.c[category.column], cell))
    if job_filter.evaluated is not None:
        evaluated = latest_log.c.evaluated
        conditions.append(evaluated.is_not(None) if job_filter.evaluated else evaluated.is_(None))
    if job_filter.q is not None:
        conditions.append(_contains(jobs.c.prompt, job_filter.q, folding))
    if (span := job_filter.job_id_range()) is not None:
        conditions.append(jobs.c.job_id.between(*span))
    return conditions


# The first is written as the partial indexes are (`WHERE is_prohibited`), so that they serve it.
_DECISIONS: dict[Decision, ColumnElement[bool]] = {
    Decision.REJECT: jobs.c.is_prohibited.expression,
    Decision.PASS: ~jobs.c.is_prohibited,
    Decision.UNDECIDED: jobs.c.is_prohibited.is_(None),
}


def _cell_is(column: ColumnElement[bool], cell: Cell) -> ColumnElement[bool]:
    match cell:
        case Cell.TRUE:
            return column
        case Cell.FALSE:
            return ~column
        case Cell.EMPTY:
            return column.is_(None)


def _contains(column: ColumnElement[Any], sought: str, folding: Folding) -> ColumnElement[bool]:
    """Match text that contains another regardless of case; LIKE's own characters are ordinary ones."""
    escaped = sought.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    folded = column if folding.collation is None else collate(column, folding.collation)
    return folded.ilike(f"%{escaped}%")
