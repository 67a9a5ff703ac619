"""Breakdowns: jobs, decisions and categories per day.

Where facts are kept beside the jobs, days are sums of what is counted by the hour; else one grouped query reads the
jobs and their latest logs.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, DateTime, Select, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from core.counts.outcomes import Combination
from core.db.schema import jobs
from core.instants import day_start, in_zone
from core.jobs.access import JobAccess
from core.jobs.fact_query import FACTS, asks_only_for_facts, bounded_count_query, see_facts, total_query
from core.jobs.filter import Category, DateRange, JobFilter
from core.jobs.pages import make_search
from core.jobs.query import count_jobs, latest_log, select_jobs
from core.jobs.reason_hours import select_reasons
from core.jobs.reasons import are_counted
from core.jobs.search import count_rows

# What is told apart, in the jobs and their latest logs.
_TOLD_APART: tuple[ColumnElement[Any], ...] = (
    jobs.c.is_prohibited,
    latest_log.c.evaluated.is_not(None).label("evaluated"),
    *(latest_log.c[category.column] for category in Category),
)

_INSTANTS = ARRAY(DateTime(timezone=True))


def combine_by_day(
    connection: Connection, job_filter: JobFilter, access: JobAccess, zone: ZoneInfo
) -> dict[date, list[Combination]]:
    """Count the matching jobs for each day of the range in a time zone, by all that is told apart of them.

    Days without jobs are there, too. It is one statement, so that whatever is added up from it agrees, also while jobs
    are written.
    """
    days = list_days(job_filter.range, zone)
    return dict(zip(days, combine(connection, job_filter, access, list_midnights(job_filter.range, zone)), strict=True))


def combine(
    connection: Connection, job_filter: JobFilter, access: JobAccess, starts: Sequence[datetime]
) -> list[list[Combination]]:
    """Count the matching jobs of each of the times that begin at `starts`, by all that is told apart of them.

    Each time ends where the next one begins; the first one holds the beginning of the range.
    """
    combined: list[list[Combination]] = [[] for _ in starts]
    access = _see_facts(connection, job_filter, access)
    if access.has_facts:
        for number, code, total in connection.execute(counts_query(job_filter, access, starts)):
            fact = FACTS[code]
            combined[number - 1].append(Combination(fact.is_prohibited, fact.evaluated, fact.cells, int(total)))
        return combined
    for row in connection.execute(jobs_query(job_filter, access, starts)):
        cells = {category: row._mapping[category.column] for category in Category}
        combined[row.number - 1].append(Combination(row.is_prohibited, bool(row.evaluated), cells, int(row.total)))
    return combined


def counts_query(job_filter: JobFilter, access: JobAccess, starts: Sequence[datetime]) -> Select[Any]:
    """Build the query over counts and facts: a row for each time, with its number from 1 on, and each code."""
    found = total_query(job_filter, access, starts).subquery("found")
    number = func.width_bucket(found.c.at, literal(starts, _INSTANTS)).label("number")
    total = func.sum(found.c.total)
    return select(number, found.c.code, total.label("total")).group_by("number", found.c.code).having(total > 0)


def jobs_query(job_filter: JobFilter, access: JobAccess, starts: Sequence[datetime]) -> Select[Any]:
    """Build the query over the jobs: a row for each time, with its number from 1 on, and all that is told apart."""
    number = func.width_bucket(jobs.c.created_at, literal(starts, _INSTANTS))
    query = select_jobs(job_filter, access, [number.label("number"), *_TOLD_APART, func.count().label("total")])
    return query.group_by("number", *_TOLD_APART)


def count_matching(connection: Connection, job_filter: JobFilter, access: JobAccess, *, limit: int | None) -> int:
    """Count the matching jobs, as far as `limit`."""
    access = _see_facts(connection, job_filter, access)
    if not access.has_facts:
        return count_jobs(connection, job_filter, access, limit=limit)
    if limit is not None:
        return int(connection.execute(bounded_count_query(job_filter, access, limit)).scalar_one())
    totals = total_query(job_filter, access, ()).subquery("totals")
    return int(connection.execute(select(func.coalesce(func.sum(totals.c.total), 0))).scalar_one())


def count_in_time(connection: Connection, job_filter: JobFilter, access: JobAccess, *, limit: int) -> int | None:
    """Count the matching jobs as far as `limit`; None where a search does not come to that in its time."""
    if job_filter.reason is not None and are_counted(connection, job_filter, access):
        found = select_reasons(job_filter, access).subquery("found")
        total = int(connection.execute(select(func.coalesce(func.sum(found.c.total), 0))).scalar_one())
        return min(total, limit)
    search = make_search(connection, job_filter, access)
    if search.is_needed:
        return count_rows(connection, search, limit=limit)
    return count_matching(connection, job_filter, access, limit=limit)


def _see_facts(connection: Connection, job_filter: JobFilter, access: JobAccess) -> JobAccess:
    return see_facts(connection, access) if asks_only_for_facts(job_filter) else replace(access, has_facts=False)


def list_days(bounds: DateRange, zone: ZoneInfo) -> list[date]:
    """List the days in the zone that the range touches."""
    if bounds.start == bounds.end:
        return []
    first = in_zone(bounds.start, zone).date()
    last = in_zone(bounds.end - timedelta(microseconds=1), zone).date()
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def list_midnights(bounds: DateRange, zone: ZoneInfo) -> list[datetime]:
    """List where the days begin. PostgreSQL is told, because its own time zones may be those of another year."""
    return [day_start(day, zone) for day in list_days(bounds, zone)]
