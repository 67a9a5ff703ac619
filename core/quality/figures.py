"""One figure of a sample: a share of jobs, with the bounds that unclear jobs give it, and the jobs behind it.

And beside another sample's: whether it has changed by more than chance.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from uuid import UUID

import numpy as np

from core.quality.estimates import (
    LEVEL,
    Estimate,
    Split,
    Stratum,
    count_to_halve,
    estimate_difference,
    estimate_part,
    estimate_share,
)
from core.quality.opinions import Opinion, Stratified

# What is asked of a judged job; None: that is unclear.
Ask = Callable[[Opinion], bool | None]
Tell = Callable[[Stratified], bool]

# Where strata without a judged job hold more of the jobs than this, bounds would say nothing.
MOST_UNJUDGED = 0.05


@dataclass(frozen=True, slots=True)
class Bounds:
    """A share as far as the verdicts go: with every unclear job as it makes the share least, and greatest.

    The two are the same where nothing is unclear. The interval holds the truth with 95 % wherever between them that is
    (Imbens and Manski, "Confidence Intervals for Partially Identified Parameters", Econometrica 72, 2004): it cannot be
    at both ends, so where these are far apart 5 % may be left out beyond each.
    """

    lower: Estimate
    upper: Estimate

    @property
    def low(self) -> float:
        return self._bound(is_upper=False)

    @property
    def high(self) -> float:
        return self._bound(is_upper=True)

    def _bound(self, *, is_upper: bool) -> float:
        ends = (self.lower, self.upper)
        if self.lower == self.upper:
            return self.lower.high if is_upper else self.lower.low
        left_out = _left_out(abs(self.upper.share - self.lower.share), max(float(np.std(one.likely)) for one in ends))
        beyond = [float(np.quantile(one.likely, 1 - left_out if is_upper else left_out)) for one in ends]
        shares = [one.share for one in ends]
        return max(*beyond, *shares) if is_upper else min(*beyond, *shares)


@dataclass(frozen=True, slots=True)
class Figure:
    """A share of jobs. `bounds` is None where the sample does not say it, and `why_not` says why.

    `jobs` and `judged` are of the strata that were asked, of which `unjudged_strata` have no judged job; `faults` are
    the judged jobs that speak against moderation, and `unclear` those of which nobody knows. `corrected` is what the
    share would be if reviewers erred on these jobs as on known ones, where that can be said.
    """

    bounds: Bounds | None
    why_not: str
    jobs: int
    judged: int
    unjudged_strata: int
    faults: tuple[UUID, ...]
    unclear: tuple[UUID, ...]
    corrected: Bounds | None = None

    @property
    def to_halve(self) -> int:
        """How many more jobs would make the interval about half as wide."""
        return 0 if self.bounds is None else count_to_halve(self.jobs, self.judged)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A share that is asked for: of the jobs that are `asked`, those that are `hit`.

    `asked` None: all jobs of the strata, which are counted. `may_hit` and `may_miss` tell in which strata a job can be
    one, where the strata tell that. `faults_are_hits`: whether the hits speak against moderation, or the rest does.
    """

    asked: Ask | None = None
    hit: Ask
    may_hit: Tell = lambda _: True
    may_miss: Tell = lambda _: True
    faults_are_hits: bool = True


def answer(question: Question, strata: Sequence[Stratified], opinions: Collection[Opinion]) -> Figure:
    """Answer a question from what was made of the judged jobs of some strata."""
    strata = [one for one in strata if question.may_hit(one) or question.may_miss(one)]
    numbers = {one.number for one in strata}
    opinions = [one for one in opinions if one.stratum in numbers]
    lower, upper = (
        {one.job_id: (one.stratum, _side(question, one, is_upper=way)) for one in opinions} for way in (False, True)
    )
    judged = Counter(one.stratum for one in opinions)
    unjudged = [one for one in strata if not judged[one.number]]
    jobs = sum(one.jobs for one in strata)
    estimates: list[Estimate | None] = [None, None]
    if not strata:
        why_not = "the sample has no such jobs"
    elif sum(one.jobs for one in unjudged) > jobs * MOST_UNJUDGED:
        in_some = f"no job is judged yet in {len(unjudged):,} of {len(strata):,} kinds of jobs"
        why_not = in_some if len(strata) > 1 else "no such job is judged yet"
    else:
        why_not = "none of the judged jobs is one of these"
        estimates = [
            _estimate(question, strata, judged, sides, is_upper=way) for sides, way in ((lower, False), (upper, True))
        ]
    is_fault = question.faults_are_hits
    return Figure(
        None if estimates[0] is None or estimates[1] is None else Bounds(estimates[0], estimates[1]),
        why_not,
        jobs,
        len(opinions),
        len(unjudged),
        tuple(one.job_id for one in opinions if lower[one.job_id][1] is upper[one.job_id][1] is is_fault),
        tuple(one.job_id for one in opinions if lower[one.job_id] != upper[one.job_id]),
    )


def _side(question: Question, one: Opinion, *, is_upper: bool) -> bool | None:
    """Tell whether a job is a hit, or of the rest, or (None) not asked about, by the bound that is wanted."""
    asked = True if question.asked is None else question.asked(one)
    hit = question.hit(one)
    if asked is False:
        return None
    if hit is not is_upper and hit is not None:
        # It stands against the bound, so it counts only where it is sure to be asked about.
        return hit if asked else None
    return is_upper


def _estimate(
    question: Question,
    strata: Sequence[Stratified],
    judged: Mapping[int, int],
    sides: Mapping[UUID, tuple[int, bool | None]],
    *,
    is_upper: bool,
) -> Estimate | None:
    hits, rest = (Counter(number for number, side in sides.values() if side is way) for way in (True, False))
    splits = []
    for one in strata:
        if judged[one.number]:
            split = one.jobs, judged[one.number], hits[one.number], rest[one.number]
        else:
            # Nobody knows anything of it: all its jobs are what makes the share least, or greatest.
            split = one.jobs, one.jobs, one.jobs * is_upper, one.jobs * (not is_upper)
        splits.append((one, split))
    if question.asked is None:
        return estimate_share([Stratum(jobs, size, hit) for _, (jobs, size, hit, _) in splits])
    return estimate_part(
        [
            Split(jobs, size, hit if question.may_hit(one) else None, miss if question.may_miss(one) else None)
            for one, (jobs, size, hit, miss) in splits
        ]
    )


def _left_out(apart: float, deviation: float) -> float:
    """Return what is left out beyond each end, so that nothing between them is left out more than 5 % of the time."""
    least, most = (1 - LEVEL) / 2, 1 - LEVEL
    if apart == 0 or deviation == 0:
        return most if apart else least
    normal = NormalDist()
    for _ in range(30):
        middle = (least + most) / 2
        # Of a truth at one end this is left out there, and beyond the other.
        missed = middle + normal.cdf(normal.inv_cdf(middle) - apart / deviation)
        least, most = (middle, most) if missed < 1 - LEVEL else (least, middle)
    return least


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
    lower = estimate_difference(now.lower, before.upper)
    is_clear = now.lower == now.upper and before.lower == before.upper
    between = Bounds(lower, lower if is_clear else estimate_difference(now.upper, before.lower))
    shares = between.lower.share, between.upper.share
    return Change(min(shares), max(shares), between.low, between.high)
