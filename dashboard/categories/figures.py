"""The figures of the page of categories: all of them added up from one look at the jobs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain
from zoneinfo import ZoneInfo

from core.counts.disagreements import Suspects, find_suspects
from core.counts.log_coverage import Coverage, cover, find_drops
from core.counts.outcomes import Combination, Sums, count_together, sum_up
from core.jobs.filter import Category, JobFilter
from dashboard.categories.days import ShownDay, list_days


@dataclass(frozen=True, slots=True)
class Figures:
    """What the page shows of the jobs of a filter.

    `usual` is the share with a log of an ordinary day, None where there is none, and `drops` are the days on which it
    is much lower.
    """

    days: Sequence[ShownDay]
    sums: Sums
    together: Mapping[frozenset[Category], int]
    coverage: Coverage
    usual: float | None
    drops: Sequence[ShownDay]
    suspects: Sequence[Suspects]


def add_up(
    combined: Mapping[date, Sequence[Combination]],
    job_filter: JobFilter,
    zone: ZoneInfo,
    now: datetime,
    before: Mapping[date, Sequence[Combination]] | None = None,
    with_reason: int = 0,
) -> Figures:
    """Add up what was counted for each day in the zone; the days `before` tell no more than what is ordinary.

    `with_reason`: how many of the rejected jobs that no category flags have a reason.
    """
    everything = list(chain.from_iterable(combined.values()))
    days = list_days(combined, job_filter.range, zone, now)
    usual, dropped = find_drops(
        {day.day: day.coverage for day in days}, {day: cover(counted) for day, counted in (before or {}).items()}
    )
    return Figures(
        days,
        sum_up(everything),
        count_together(everything),
        cover(everything),
        usual,
        [day for day in days if day.day in dropped],
        find_suspects(everything, job_filter, with_reason),
    )
