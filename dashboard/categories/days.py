"""The days that the charts of categories show: what was counted on each, and whether all of it was."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from core.counts.log_coverage import Coverage, cover
from core.counts.outcomes import Combination, Sums, count_together, sum_up
from core.instants import day_end, day_start
from core.jobs.filter import Category, DateRange


@dataclass(frozen=True, slots=True)
class ShownDay:
    """A day in a chart. `label` names it within its range; `is_partial`: it is not over, or the range takes a part."""

    day: date
    label: str
    is_partial: bool
    sums: Sums
    together: Mapping[frozenset[Category], int]
    coverage: Coverage


def list_days(
    combined: Mapping[date, Sequence[Combination]], bounds: DateRange, zone: ZoneInfo, now: datetime
) -> list[ShownDay]:
    """Turn what was counted into days, in their order."""
    with_year = len({day.year for day in combined}) > 1
    return [
        ShownDay(
            day,
            name_day(day, with_year=with_year),
            _is_partial(day, bounds, zone, now),
            sum_up(counted),
            count_together(counted),
            cover(counted),
        )
        for day, counted in combined.items()
    ]


def name_day(day: date, *, with_year: bool = True) -> str:
    return f"{day.day} {day:%b}" + (f" {day.year}" if with_year else "")


def _is_partial(day: date, bounds: DateRange, zone: ZoneInfo, now: datetime) -> bool:
    return day_start(day, zone) < bounds.start or day_end(day, zone) > min(bounds.end, now)
