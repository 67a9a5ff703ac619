"""Coverage: the share of decided jobs that have a moderation log, and the days on which it drops."""

from calendar import SATURDAY
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from math import sqrt
from statistics import median

from core.counts.outcomes import Combination, share

# A day of fewer decided jobs says nothing; a drop is at least so much below the ordinary day, and more than what chance
# does on any day of a year: four standard deviations of a share of so many jobs.
FEWEST_JOBS = 50
LEAST_DROP = 0.02
DEVIATIONS = 4

# What was ordinary before a range is told by so much time: a day alone has nothing to drop from.
LOOK_BACK = timedelta(days=14)

# From so many days of the same kind on, a day is held against these: at weekends a service may do other work, of which
# less is logged.
ENOUGH_DAYS = 4


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many of the decided jobs have a log. Jobs that are not decided yet may still get theirs."""

    decided: int
    with_log: int

    @property
    def share(self) -> float | None:
        return share(self.with_log, self.decided)


def cover(counted: Iterable[Combination]) -> Coverage:
    """Count the decided jobs and those of them that have a log."""
    decided = [one for one in counted if one.is_prohibited is not None]
    return Coverage(sum(one.total for one in decided), sum(one.total for one in decided if one.evaluated))


def find_drops(
    days: Mapping[date, Coverage], before: Mapping[date, Coverage] | None = None
) -> tuple[float | None, list[date]]:
    """Return the ordinary day's share (the median) and the days whose share is well below what is ordinary for them.

    That is the median of weekdays or of weekends, where enough of them are known. `before` are the days before, which
    tell what is ordinary, too.
    """
    known = {day: found for day, one in days.items() if (found := _telling_share(one)) is not None}
    earlier = {day: found for day, one in (before or {}).items() if (found := _telling_share(one)) is not None}
    if not known:
        return None, []
    everything = earlier | known
    drops = []
    for day, found in known.items():
        alike = [one for other, one in everything.items() if _is_weekend(other) == _is_weekend(day)]
        usual = median(alike if len(alike) >= ENOUGH_DAYS else everything.values())
        by_chance = DEVIATIONS * sqrt(usual * (1 - usual) / days[day].decided)
        if usual - found >= max(LEAST_DROP, by_chance):
            drops.append(day)
    return median(everything.values()), drops


def _is_weekend(day: date) -> bool:
    return day.weekday() >= SATURDAY


def _telling_share(day: Coverage) -> float | None:
    return day.share if day.decided >= FEWEST_JOBS else None
