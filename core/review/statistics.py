"""What reviews say about the decisions: how many are overturned, by category and week, and whether reviewers agree.

From our own tables alone: a review remembers its job.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, DateTime, and_, func, literal, not_, select, true
from sqlalchemy.dialects.postgresql import ARRAY

from core.db.schema import reviews
from core.instants import day_start, in_zone
from core.jobs.filter import Category, DateRange
from core.jobs.wall import Wall, of_clients
from core.policy.outdated import COUNTS
from core.review.agreement import Agreement, measure
from core.review.verdicts import IS_FIRM, WOULD_REJECT, Verdict

_WEEK = timedelta(days=7)

# Verdicts whose jobs are looked up one by one.
MOST_VERDICTS = 5_000


@dataclass(frozen=True, slots=True)
class OverturnRate:
    """Of the firm verdicts on a week's jobs of a category (None: of all): how many there are, how many overturn.

    `week` is its Monday in the zone. The sample is what people chose to review, and no more.
    """

    week: date
    category: Category | None
    reviewed: int
    overturned: int


def list_overturn_rates(
    connection: Connection, bounds: DateRange, client_id: str | None, wall: Wall, zone: ZoneInfo
) -> list[OverturnRate]:
    """List the rates of the jobs that were created in a range, by week, all first, then the categories."""
    mondays = _mondays(bounds, zone)
    if not mondays:
        return []
    # Where weeks begin is told to PostgreSQL, as days are (core/counts/by_day.py).
    starts = literal([day_start(monday, zone) for monday in mondays], ARRAY(DateTime(timezone=True)))
    week = func.width_bucket(reviews.c.job_created_at, starts).label("week")
    flags: list[tuple[Category | None, ColumnElement[bool]]] = [
        (None, true()),
        *((category, reviews.c[category.column]) for category in Category),
    ]
    overturns = reviews.c.verdict == Verdict.OVERTURN.value
    columns = []
    for number, (_, flag) in enumerate(flags):
        columns.append(func.count().filter(flag).label(f"reviewed_{number}"))
        columns.append(func.count().filter(and_(flag, overturns)).label(f"overturned_{number}"))
    query = select(week, *columns).where(IS_FIRM, *_counted(bounds, client_id, wall)).group_by("week").order_by("week")
    return [
        OverturnRate(
            mondays[row.week - 1], category, row._mapping[f"reviewed_{number}"], row._mapping[f"overturned_{number}"]
        )
        for row in connection.execute(query)
        for number, (category, _) in enumerate(flags)
        if row._mapping[f"reviewed_{number}"]
    ]


def list_firm_verdicts(
    connection: Connection, bounds: DateRange, client_id: str | None, wall: Wall
) -> list[tuple[UUID, bool]]:
    """List the firm verdicts on jobs that were created in a range: the job, and whether the verdict overturns.

    The latest so many, where there are very many.
    """
    query = (
        select(reviews.c.job_id, reviews.c.verdict == Verdict.OVERTURN.value)
        .where(IS_FIRM, *_counted(bounds, client_id, wall))
        .order_by(reviews.c.review_id.desc())
        .limit(MOST_VERDICTS)
    )
    return [(job, overturns) for job, overturns in connection.execute(query)]


def measure_agreement(connection: Connection, bounds: DateRange, client_id: str | None, wall: Wall) -> Agreement:
    """Measure how often those who reviewed the same job agree on what its decision should be."""
    each = (
        select(
            func.count().filter(WOULD_REJECT).label("rejecting"),
            func.count().filter(not_(WOULD_REJECT)).label("passing"),
        )
        .where(IS_FIRM, *_counted(bounds, client_id, wall))
        .group_by(reviews.c.job_id)
        .having(func.count() >= 2)
        .subquery()
    )
    kinds = select(each.c.rejecting, each.c.passing, func.count()).group_by(each.c.rejecting, each.c.passing)
    return measure({(rejecting, passing): number for rejecting, passing, number in connection.execute(kinds)})


def _counted(bounds: DateRange, client_id: str | None, wall: Wall) -> list[ColumnElement[bool]]:
    return [
        COUNTS,
        reviews.c.job_created_at >= bounds.start,
        reviews.c.job_created_at < bounds.end,
        *of_clients(reviews.c.client_id, wall, client_id),
    ]


def _mondays(bounds: DateRange, zone: ZoneInfo) -> list[date]:
    """List the first days of the weeks that the range touches, in the zone."""
    if bounds.start == bounds.end:
        return []
    first, last = (
        _monday(in_zone(instant, zone)) for instant in (bounds.start, bounds.end - timedelta(microseconds=1))
    )
    return [first + _WEEK * number for number in range((last - first) // _WEEK + 1)]


def _monday(local: datetime) -> date:
    # The first day of all is a Monday.
    return local.date() - timedelta(days=local.weekday())
