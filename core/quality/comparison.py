"""One sample beside another: whether a figure has changed by more than chance."""

from dataclasses import dataclass

from core.quality.estimates import estimate_difference
from core.quality.figures import Bounds


@dataclass(frozen=True, slots=True)
class Change:
    """How much a share is greater than it was, between -1 and 1, as far as unclear jobs leave it open."""

    least: float
    most: float
    low: float
    high: float

    @property
    def is_more_than_chance(self) -> bool:
        return self.low > 0 or self.high < 0


def compare(now: Bounds, before: Bounds) -> Change:
    """Compare two samples that were drawn apart. The interval holds with 95 %, whatever the unclear jobs are."""
    ends = [estimate_difference(one, other) for one, other in ((now.lower, before.upper), (now.upper, before.lower))]
    shares = sorted(end.share for end in ends)
    return Change(shares[0], shares[-1], min(end.low for end in ends), max(end.high for end in ends))
