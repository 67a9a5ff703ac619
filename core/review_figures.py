"""What reviews say about the decisions: how many are overturned, by category and week, and whether reviewers agree.

From our own tables alone: a review remembers its job.
"""

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, and_, func, select, true

from core.filters import Category, DateRange
from core.query import Wall
from core.reviews import Verdict
from core.schema import reviews

_FIRM = reviews.c.verdict.in_((Verdict.AGREE.value, Verdict.OVERTURN.value))


@dataclass(frozen=True, slots=True)
class OverturnRate:
    """Of the firm verdicts on a week's jobs of a category (None: of all): how many there are, how many overturn.

    `week` is its Monday in the zone. The sample is what people chose to review, and no more.
    """

    week: date
    category: Category | None
    reviewed: int
    overturned: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """Jobs with two or more firm verdicts, and on how many of them all of these are the same."""

    jobs: int
    unanimous: int


def list_overturn_rates(
    connection: Connection, bounds: DateRange, client_id: str | None, wall: Wall, zone: ZoneInfo
) -> list[OverturnRate]:
    """List the rates of the jobs that were created in a range, by week, all first, then the categories."""
    week = func.date_trunc("week", func.timezone(zone.key, reviews.c.job_created_at)).label("week")
    flags: list[tuple[Category | None, ColumnElement[bool]]] = [
        (None, true()),
        *((category, reviews.c[category.column]) for category in Category),
    ]
    overturns = reviews.c.verdict == Verdict.OVERTURN.value
    columns = []
    for number, (_, flag) in enumerate(flags):
        columns.append(func.count().filter(flag).label(f"reviewed_{number}"))
        columns.append(func.count().filter(and_(flag, overturns)).label(f"overturned_{number}"))
    query = select(week, *columns).where(_FIRM, *_counted(bounds, client_id, wall)).group_by(week).order_by(week)
    return [
        OverturnRate(_day(row.week), category, row._mapping[f"reviewed_{number}"], row._mapping[f"overturned_{number}"])
        for row in connection.execute(query)
        for number, (category, _) in enumerate(flags)
        if row._mapping[f"reviewed_{number}"]
    ]


def measure_agreement(connection: Connection, bounds: DateRange, client_id: str | None, wall: Wall) -> Agreement:
    """Measure how often those who reviewed the same job agree with each other."""
    verdicts = (
        select(func.count(reviews.c.verdict.distinct()).label("kinds"))
        .where(_FIRM, *_counted(bounds, client_id, wall))
        .group_by(reviews.c.job_id)
        .having(func.count() >= 2)
        .subquery()
    )
    unanimous = func.count().filter(verdicts.c.kinds == 1)
    row = connection.execute(select(func.count(), unanimous).select_from(verdicts)).one()
    return Agreement(row[0], row[1])


def _counted(bounds: DateRange, client_id: str | None, wall: Wall) -> list[ColumnElement[bool]]:
    clients = {wall.client_id, client_id} - {None}
    return [
        reviews.c.superseded_at.is_(None),
        reviews.c.job_created_at >= bounds.start,
        reviews.c.job_created_at < bounds.end,
        *(reviews.c.client_id == client for client in clients),
    ]


def _day(week: datetime) -> date:
    return week.date()
