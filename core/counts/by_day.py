"""Breakdowns: jobs, decisions and categories per day.

One grouped query over the jobs and their latest logs. Where the jobs are ours, the quarters of an hour in which nothing
has changed are counted ahead (`breakdown_counts`), and the query takes only the rest from the jobs themselves: triggers
note each quarter that a new job, a changed one or a late log touches, so that the result is right at any moment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    Connection,
    DateTime,
    Select,
    delete,
    func,
    insert,
    literal,
    literal_column,
    select,
    text,
    true,
    union,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY

from core.counts.outcomes import Combination, Sums, sum_up
from core.db.database import Database
from core.db.folding import Folding
from core.db.schema import breakdown_changes, breakdown_counts, jobs
from core.instants import day_start
from core.jobs.access import JobAccess
from core.jobs.filter import Category, DateRange, JobFilter
from core.jobs.query import asks_for_log, count_jobs, fact_conditions, latest_log, select_jobs
from core.jobs.wall import Wall, of_clients

# Days begin at a quarter of an hour of UTC in every zone of today.
QUARTER = timedelta(minutes=15)

# Quarters that are counted in one transaction, a day's; and how old one is when it is counted ahead, because in a
# younger one something changes all the time.
QUARTERS_AT_ONCE = 96
CLOSED_AFTER = timedelta(hours=1)

# Seconds that one such transaction may take: a day of a busy service.
COUNT_TIMEOUT = 300

# PostgreSQL knows times that Python does not; no range reaches those.
_EARLIEST = datetime(1, 1, 2, tzinfo=UTC)

# What is told apart, as it stands in `breakdown_counts`.
_FACTS: tuple[ColumnElement[Any], ...] = (
    jobs.c.is_prohibited,
    latest_log.c.evaluated.is_not(None).label("evaluated"),
    *(latest_log.c[category.column] for category in Category),
)

_INSTANTS = ARRAY(DateTime(timezone=True))


@dataclass(frozen=True, slots=True)
class Day:
    """The jobs that were created on a day: how many, how they were decided, and how many each category flags."""

    day: date
    jobs: int
    rejected: int
    passed: int
    undecided: int
    evaluated: int
    flagged: Mapping[Category, int]


def break_down(connection: Connection, job_filter: JobFilter, access: JobAccess, zone: ZoneInfo) -> list[Day]:
    """Count the matching jobs for each day of the range in a time zone, days without jobs included."""
    combined = combine_by_day(connection, job_filter, access, zone)
    return [_day(day, sum_up(counted)) for day, counted in combined.items()]


def combine_by_day(
    connection: Connection, job_filter: JobFilter, access: JobAccess, zone: ZoneInfo
) -> dict[date, list[Combination]]:
    """Count the matching jobs for each day, as `break_down` does, by all that is told apart of them.

    One statement, so that whatever is added up from it agrees, also while jobs are written.
    """
    days = _days(job_filter.range, zone)
    ahead = access.jobs_are_ours and _is_counted(connection, job_filter)
    combined: dict[date, list[Combination]] = {day: [] for day in days}
    for row in connection.execute(breakdown_query(job_filter, access, zone, counted_ahead=ahead)):
        cells = {category: row._mapping[category.column] for category in Category}
        combination = Combination(row.is_prohibited, bool(row.evaluated), cells, int(row.total))
        combined[days[row.number - 1]].append(combination)
    return combined


def breakdown_query(job_filter: JobFilter, access: JobAccess, zone: ZoneInfo, *, counted_ahead: bool) -> Select[Any]:
    """Build the query: a row for each day that has jobs, with its number from 1 on, and each combination of facts."""
    # Where days begin is told to PostgreSQL, whose own time zones may be those of another year.
    midnights = [day_start(day, zone) for day in _days(job_filter.range, zone)]
    facts = _facts_of(job_filter, access)
    if counted_ahead:
        facts = _with_counts(facts, job_filter, access, midnights)
    found = facts.subquery("facts")
    number = func.width_bucket(found.c.at, literal(midnights, _INSTANTS)).label("number")
    told_apart = (found.c.is_prohibited, found.c.evaluated, *(found.c[category.column] for category in Category))
    return select(number, *told_apart, func.sum(found.c.total).label("total")).group_by("number", *told_apart)


def count_matching(
    connection: Connection,
    job_filter: JobFilter,
    access: JobAccess,
    *,
    limit: int | None,
) -> int:
    """Count the matching jobs, as far as `limit`.

    Each job of which the log must be looked at costs a look into an index: what was counted ahead is added up instead,
    and the rest is looked at no further than to the limit.
    """
    if not (access.jobs_are_ours and asks_for_log(job_filter) and _is_counted(connection, job_filter)):
        return count_jobs(connection, job_filter, access, limit=limit)
    found = _with_counts(_facts_of(job_filter, access), job_filter, access, (), limit=limit).subquery("found")
    total = int(connection.execute(select(func.coalesce(func.sum(found.c.total), 0))).scalar_one())
    return total if limit is None else min(total, limit)


def count_ahead(database: Database) -> None:
    """Count the closed quarters in which something has changed, a day's worth in a transaction, until none is left.

    Where another process is at it already, it is left to that one.
    """
    while _count_some(database):
        pass


def _is_counted(connection: Connection, job_filter: JobFilter) -> bool:
    """Tell whether a filter asks for nothing but what counts are told apart by, and whether these are kept up here."""
    told_apart = JobFilter(
        range=job_filter.range,
        decision=job_filter.decision,
        category=job_filter.category,
        no_category=job_filter.no_category,
        cells=job_filter.cells,
        evaluated=job_filter.evaluated,
        client_id=job_filter.client_id,
    )
    return job_filter == told_apart and not _is_replica(connection)


def _facts_of(job_filter: JobFilter, access: JobAccess) -> Select[Any]:
    """Select the matching jobs as counts have them, each by itself."""
    at = jobs.c.created_at.label("at")
    return select_jobs(job_filter, access, [at, *_FACTS, literal(1).label("total")])


def _with_counts(
    facts: Select[Any],
    job_filter: JobFilter,
    access: JobAccess,
    midnights: Sequence[datetime],
    *,
    limit: int | None = None,
) -> Any:
    """Take quarters from those that were counted, and only what else is needed from the jobs: no more than `limit`."""
    start, end = job_filter.range.start, job_filter.range.end
    # Quarters of which the range or a day takes a part: the range's edges, and midnights of times long past.
    split = {_quarter(instant) for instant in (start, end, *midnights) if instant != _quarter(instant)}
    changed = select(breakdown_changes.c.quarter).where(
        breakdown_changes.c.quarter >= _quarter(start), breakdown_changes.c.quarter < end
    )
    rest = union(changed, select(func.unnest(literal(sorted(split), _INSTANTS)).label("quarter"))).cte("rest")
    # OFFSET keeps PostgreSQL from reading the whole range first and choosing among the quarters afterwards.
    of_quarter = facts.where(jobs.c.created_at >= rest.c.quarter, jobs.c.created_at < rest.c.quarter + QUARTER)
    each = of_quarter.correlate(rest).offset(0).lateral("of_quarter")
    from_jobs = select(each).select_from(rest.join(each, true())).limit(limit)
    counts = breakdown_counts.c
    from_counts = select(
        counts.quarter,
        counts.is_prohibited,
        counts.evaluated,
        *(counts[category.column] for category in Category),
        counts.total,
    ).where(
        counts.quarter >= _quarter(start),
        counts.quarter < end,
        counts.quarter.not_in(select(rest.c.quarter)),
        *of_clients(counts.client_id, access.wall, job_filter.client_id),
        *fact_conditions(job_filter, counts.is_prohibited, counts.evaluated, breakdown_counts),
    )
    return union_all(from_jobs, from_counts)


def _count_some(database: Database) -> bool:
    """Count some quarters; tell whether there may be more."""
    with database.transaction(timeout=COUNT_TIMEOUT) as connection:
        lock = text("SELECT pg_try_advisory_xact_lock(hashtextextended('fencepost breakdowns', 0))")
        if not connection.execute(lock).scalar_one():
            return False
        due = select(breakdown_changes.c.quarter).distinct()
        due = due.where(breakdown_changes.c.quarter.between(_EARLIEST, func.now() - CLOSED_AFTER))
        quarters = list(connection.execute(due.order_by(breakdown_changes.c.quarter).limit(QUARTERS_AT_ONCE)).scalars())
        if not quarters:
            return False
        # First what has changed is forgotten, then the jobs are read: whatever is committed in between is noted anew.
        connection.execute(delete(breakdown_changes).where(breakdown_changes.c.quarter.in_(quarters)))
        connection.execute(delete(breakdown_counts).where(breakdown_counts.c.quarter.in_(quarters)))
        for run in _runs(quarters):
            facts = (_quarter_of(jobs.c.created_at), jobs.c.client_id, *_FACTS)
            columns: list[ColumnElement[Any]] = [*facts, func.count()]
            counted = select_jobs(JobFilter(range=run), JobAccess(Wall(None), Folding(None)), columns).group_by(*facts)
            connection.execute(insert(breakdown_counts).from_select(list(breakdown_counts.c.keys()), counted))
    return True


def _is_replica(connection: Connection) -> bool:
    """Tell whether logical replication fills tables here: it calls no triggers of statements, so nothing is noted."""
    return bool(connection.execute(text("SELECT EXISTS (SELECT FROM pg_subscription_rel)")).scalar_one())


def _runs(quarters: Sequence[datetime]) -> list[DateRange]:
    """Put quarters that follow each other together."""
    runs: list[DateRange] = []
    for quarter in quarters:
        if runs and runs[-1].end == quarter:
            runs[-1] = DateRange(runs[-1].start, quarter + QUARTER)
        else:
            runs.append(DateRange(quarter, quarter + QUARTER))
    return runs


def _days(bounds: DateRange, zone: ZoneInfo) -> list[date]:
    """List the days in the zone that the range touches."""
    if bounds.start == bounds.end:
        return []
    first = bounds.start.astimezone(zone).date()
    last = (bounds.end - timedelta(microseconds=1)).astimezone(zone).date()
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _quarter(instant: datetime) -> datetime:
    """Return the beginning of the quarter, in UTC, that an instant lies in."""
    utc = instant.astimezone(UTC)
    return utc.replace(minute=utc.minute // 15 * 15, second=0, microsecond=0)


def _quarter_of(column: ColumnElement[datetime]) -> ColumnElement[datetime]:
    return func.date_bin(literal_column("interval '15 minutes'"), column, literal_column("timestamptz '2000-01-01Z'"))


def _day(day: date, sums: Sums) -> Day:
    return Day(day, sums.jobs, sums.rejected, sums.passed, sums.undecided, sums.evaluated, sums.flagged)
