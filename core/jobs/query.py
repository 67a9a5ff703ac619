"""The filtered, joined query over jobs; an export, a page and a count are variations of it.

The only module that selects jobs. Whose jobs they may be (the wall) is decided by the caller and built in here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from psycopg.errors import QueryCanceled
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    Text,
    and_,
    case,
    cast,
    collate,
    false,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    text,
    true,
    tuple_,
)
from sqlalchemy.exc import DBAPIError

from core.db.folding import Folding
from core.db.schema import jobs, moderation_logs
from core.db.topology import IsOnOneNode, no_row
from core.jobs.access import JobAccess
from core.jobs.filter import Category, Cell, DateRange, Decision, JobFilter
from core.jobs.wall import Wall, is_told, of_clients

# The log that counts is the latest: greatest (created_at, log_id). One row a job, so the join repeats none and, being
# an outer one, drops none.
latest_log = (
    select(
        literal_column("true").label("evaluated"),
        *(moderation_logs.c[category.column] for category in Category),
    )
    .where(moderation_logs.c.job_id == jobs.c.job_id, IsOnOneNode())
    .order_by(moderation_logs.c.created_at.desc(), moderation_logs.c.log_id.desc())
    .limit(1)
    .lateral("latest_log")
)


# Milliseconds that a search by the index of searches may take: it finds what is rare at once, and PostgreSQL's guess of
# what is rare is off by orders of magnitude.
INDEX_LIMIT = 1_000

_LIMIT_STATEMENTS = """
    SELECT set_config('statement_timeout', least(nullif(setting::int, 0), :limit)::text, true)
    FROM pg_settings WHERE name = 'statement_timeout'
"""

JOB_KEY = (jobs.c.created_at, jobs.c.job_id)

# The one letter whose lower case depends on what follows: that of a Σ at the end of a word is ς (Unicode, Final_Sigma).
_SIGMAS = re.compile("[Σσς]")


@dataclass(frozen=True, slots=True)
class PageKey:
    """A place between two jobs in a list that is ordered by (created_at, job_id)."""

    created_at: datetime
    job_id: UUID

    @classmethod
    def before(cls, instant: datetime) -> Self:
        """Return the place before all jobs of a moment."""
        return cls(instant, UUID(int=0))


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of an export in its order: from `start` (inclusive) to `end` (exclusive); None: from or to its bound."""

    start: PageKey | None
    end: PageKey | None


WHOLE = Slice(None, None)


def select_jobs(job_filter: JobFilter, access: JobAccess, columns: list[ColumnElement[Any]]) -> Select[Any]:
    """Select columns of the jobs that the filter means and the wall allows, joined with the latest log of each."""
    query = select(*columns).select_from(jobs.outerjoin(latest_log, true()))
    return query.where(*conditions_of(job_filter, access))


def boundary_query(
    job_filter: JobFilter, access: JobAccess, part: Slice, jobs_between: int, *, is_newest_first: bool = False
) -> Select[Any]:
    """Build the query that finds the key of the job that stands so many jobs within a part; none where there are fewer.

    It counts only by what an index serves (range and reason, or client and rejected), so that it reads a stretch of
    that index and nothing else. A slice may therefore hold fewer jobs of the export, even none.
    """
    order = [column.desc() if is_newest_first else column for column in JOB_KEY]
    query = select(*JOB_KEY).where(*_indexed_conditions(narrow_to(job_filter, part), access))
    return in_part(query, part).order_by(*order).offset(jobs_between).limit(1)


def _indexed_conditions(narrowed: JobFilter, access: JobAccess) -> list[ColumnElement[bool]]:
    """List what an index serves: range and reason, or client and rejected."""
    if access.jobs_are_ours and narrowed.reason is not None:
        return [*_range(narrowed), hash_text(jobs.c.reason) == hash_text(cast(literal(narrowed.reason), Text))]
    conditions = _range_and_client(narrowed, access)
    if narrowed.decision == (Decision.REJECT,):
        conditions.append(jobs.c.is_prohibited.expression)
    return conditions


def count_jobs(connection: Connection, job_filter: JobFilter, access: JobAccess, *, limit: int | None = None) -> int:
    """Count the matching jobs; with a limit, no further than that."""
    return int(connection.execute(count_query(job_filter, access, limit=limit)).scalar_one())


def count_query(job_filter: JobFilter, access: JobAccess, *, limit: int | None = None) -> Select[Any]:
    """Build the query that counts the matching jobs."""
    matching = (
        select(literal(1)).select_from(tables_of(job_filter)).where(*conditions_of(job_filter, access)).limit(limit)
    )
    return select(func.count()).select_from(matching.subquery())


def has_jobs(connection: Connection, wall: Wall, client_id: str) -> bool:
    """Tell whether a client has jobs; behind a wall, whether it has some that may be seen."""
    some = select(literal(1)).select_from(jobs).where(*of_clients(jobs.c.client_id, wall, client_id)).limit(1)
    return connection.execute(some).scalar() is not None


def find_matching(connection: Connection, job_filter: JobFilter, access: JobAccess, ids: Sequence[UUID]) -> set[UUID]:
    """Return which of some jobs a filter means and the wall allows."""
    query = select(jobs.c.job_id).select_from(tables_of(job_filter)).where(*conditions_of(job_filter, access))
    return set(connection.execute(query.where(jobs.c.job_id == func.any(list(ids)))).scalars())


def try_index(connection: Connection, query: Select[Any], access: JobAccess) -> list[Row[Any]] | None:
    """Run a query by the index of searches, or return None where there is none, or where it takes too long.

    Nodes of a distributed source choose by themselves whether to go by it.
    """
    if not access.folding.is_indexed or access.topology.is_distributed:
        return None
    attempt = connection.begin_nested()
    try:
        # An index of trigrams gives bitmaps only.
        connection.execute(select(func.set_config("enable_indexscan", "off", True)))
        connection.execute(text(_LIMIT_STATEMENTS), {"limit": INDEX_LIMIT})
        return list(connection.execute(query))
    except DBAPIError as error:
        if not isinstance(error.orig, QueryCanceled):
            raise
        return None
    finally:
        # Forgets the settings, too.
        attempt.rollback()


def tables_of(job_filter: JobFilter) -> FromClause:
    """The jobs, joined with their latest logs only where the filter asks for these."""
    return jobs.outerjoin(latest_log, true()) if asks_for_log(job_filter) else jobs


def asks_for_log(job_filter: JobFilter) -> bool:
    """Tell whether a filter asks for anything of the latest log."""
    asked = (job_filter.evaluated, job_filter.flagged)
    return bool(job_filter.category or job_filter.no_category or job_filter.cells or asked != (None, None))


def narrow_to(job_filter: JobFilter, part: Slice) -> JobFilter:
    """Let the range be that of the part.

    An index scan begins and ends at the bounds of `created_at`; by the whole key it only filters. With the range's own
    bounds it would read everything before and after the part. A part beside the range (the page of an old bookmark)
    is an empty one.
    """
    start, end = job_filter.range.start, job_filter.range.end
    if part.start is not None:
        start = min(max(start, part.start.created_at), end)
    if part.end is not None and part.end.created_at < end:
        # A microsecond is the resolution of a timestamptz, so this is the least bound that keeps `end` inside.
        end = max(min(end, part.end.created_at + timedelta(microseconds=1)), start)
    return replace(job_filter, range=DateRange(start, end))


def without_facts(job_filter: JobFilter) -> JobFilter:
    """Leave out of a filter what facts tell: decision and latest log."""
    return replace(job_filter, decision=(), category=(), no_category=False, cells={}, evaluated=None, flagged=None)


def in_part(query: Select[Any], part: Slice, key: tuple[ColumnElement[Any], ...] = JOB_KEY) -> Select[Any]:
    """Narrow a query to a part, by the columns that hold the key."""
    return query.where(*part_conditions(part, key))


def part_conditions(part: Slice, key: tuple[ColumnElement[Any], ...] = JOB_KEY) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if part.start is not None:
        conditions.append(tuple_(*key) >= _literal_key(part.start))
    if part.end is not None:
        conditions.append(tuple_(*key) < _literal_key(part.end))
    return conditions


def _literal_key(key: PageKey) -> ColumnElement[Any]:
    return tuple_(literal(key.created_at), literal(key.job_id))


def _range(job_filter: JobFilter) -> list[ColumnElement[bool]]:
    return [jobs.c.created_at >= job_filter.range.start, jobs.c.created_at < job_filter.range.end]


def _range_and_client(job_filter: JobFilter, access: JobAccess) -> list[ColumnElement[bool]]:
    return [*_range(job_filter), *of_clients(jobs.c.client_id, access.wall, job_filter.client_id)]


def conditions_of(job_filter: JobFilter, access: JobAccess) -> list[ColumnElement[bool]]:
    conditions = _range_and_client(job_filter, access)
    if job_filter.type:
        conditions.append(jobs.c.type.in_(job_filter.type))
    if job_filter.status:
        conditions.append(jobs.c.status.in_(job_filter.status))
    conditions += fact_conditions(
        job_filter, jobs.c.is_prohibited.expression, latest_log.c.evaluated.is_not(None), latest_log
    )
    if job_filter.q is not None:
        conditions.append(contains(jobs.c.prompt, job_filter.q, access.folding))
    if job_filter.reason is not None:
        conditions.append(reason_is(literal(job_filter.reason), access))
    if job_filter.reason_contains is not None:
        conditions.append(contains(jobs.c.reason, job_filter.reason_contains, access.folding))
    texts = (job_filter.q, job_filter.reason, job_filter.reason_contains)
    if any(sought is not None for sought in texts):
        # Otherwise a search would tell piece by piece what is withheld.
        conditions.append(is_told(access.wall))
    if job_filter.has_reason is not None:
        has_one = func.coalesce(jobs.c.reason, literal_column("''")) != literal_column("''")
        conditions.append(has_one if job_filter.has_reason else ~has_one)
    if job_filter.job_id:
        conditions.append(_begins_with_any(job_filter))
    if job_filter.api_key_id and access.tells_api_keys:
        conditions.append(key_column(access, jobs.c.api_key_id).in_(job_filter.api_key_id))
    elif job_filter.api_key_id:
        conditions += no_row(jobs.c.job_id)
    return conditions


def reason_is(reason: ColumnElement[Any], access: JobAccess) -> ColumnElement[bool]:
    """Match the jobs whose reason is exactly this; where the jobs are ours, as their index of reasons has it."""
    same = jobs.c.reason == reason
    if not access.jobs_are_ours:
        return same
    # A hash is hardly ever another text's. PostgreSQL takes the two for independent of each other, and would guess that
    # next to no jobs are left for the index to give in their order; of a CASE it guesses nothing.
    return and_(hash_text(jobs.c.reason) == hash_text(cast(reason, Text)), case((same, true()), else_=false()))


def hash_text(text_: ColumnElement[Any]) -> ColumnElement[Any]:
    """The hash of a text, as the indexes of reasons and prompts have it."""
    return func.hashtextextended(text_, literal_column("0"), type_=BigInteger)


def without_reason(job_filter: JobFilter) -> JobFilter:
    """Leave the exact reason out of a filter."""
    return replace(job_filter, reason=None)


def key_column(access: JobAccess, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return one of the columns that a source may lack, as text; null where it does."""
    return cast(column if access.tells_api_keys else null(), Text)


def _begins_with_any(job_filter: JobFilter) -> ColumnElement[bool]:
    """Match the jobs whose id begins with any of those of a filter; whole ids are one look into an index each."""
    ranges = job_filter.job_id_ranges()
    whole = [first for first, last in ranges if first == last]
    return or_(jobs.c.job_id.in_(whole), *(jobs.c.job_id.between(*each) for each in ranges if each[0] != each[1]))


def fact_conditions(
    job_filter: JobFilter,
    is_prohibited: ColumnElement[bool],
    evaluated: ColumnElement[bool],
    log: FromClause,
) -> list[ColumnElement[bool]]:
    """List what a filter asks of decision and latest log, wherever these stand.

    `log` has the columns of the categories.
    """
    conditions: list[ColumnElement[bool]] = []
    if job_filter.decision:
        conditions.append(or_(false(), *(_is_decided(is_prohibited, decision) for decision in job_filter.decision)))
    if job_filter.category:
        conditions.append(or_(false(), *(log.c[category.column] for category in job_filter.category)))
    if job_filter.no_category:
        conditions.append(and_(evaluated, *_none_true(log)))
    for category, cell in job_filter.cells.items():
        conditions.append(_cell_is(log.c[category.column], cell))
    if job_filter.evaluated is not None:
        conditions.append(evaluated if job_filter.evaluated else ~evaluated)
    if job_filter.flagged is not None:
        any_true = or_(false(), *(log.c[category.column] for category in Category))
        conditions.append(any_true if job_filter.flagged else and_(true(), *_none_true(log)))
    return conditions


def _none_true(log: FromClause) -> list[ColumnElement[bool]]:
    return [func.coalesce(log.c[category.column], false()) == false() for category in Category]


def _is_decided(is_prohibited: ColumnElement[bool], decision: Decision) -> ColumnElement[bool]:
    match decision:
        case Decision.REJECT:
            # Written as the partial indexes are (`WHERE is_prohibited`), so that they serve it.
            return is_prohibited
        case Decision.PASS:
            return ~is_prohibited
        case Decision.UNDECIDED:
            return is_prohibited.is_(None)


def _cell_is(column: ColumnElement[bool], cell: Cell) -> ColumnElement[bool]:
    match cell:
        case Cell.TRUE:
            return column
        case Cell.FALSE:
            return ~column
        case Cell.EMPTY:
            return column.is_(None)


def contains(column: ColumnElement[Any], sought: str, folding: Folding) -> ColumnElement[bool]:
    """Match text that contains another regardless of case; LIKE's own characters are ordinary ones.

    What ILIKE does, written as the index of searches has it.
    """
    escaped = sought.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")

    def fold(text: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.lower(text if folding.collation is None else collate(text, folding.collation))

    pattern = fold(literal(f"%{escaped}%"))
    if not _SIGMAS.search(sought):
        return fold(column).like(pattern)

    def unify(text: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.replace(text, "ς", "σ")

    # The first condition is the index's, the second is right.
    wider = fold(literal(f"%{_SIGMAS.sub('_', escaped)}%"))
    return and_(fold(column).like(wider), unify(fold(column)).like(unify(pattern)))
