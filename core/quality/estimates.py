"""Shares of a population from a stratified sample, with intervals that hold for few and for no hits.

A share over strata: Wilson's interval in each stratum, at a level that makes the weighted sum hold 95 % (Yan and Su,
"Stratified Wilson and Newcombe Confidence Intervals for Multiple Binomial Proportions", Statistics in
Biopharmaceutical Research 2, 2010), each with the size that its sample has beside a population that ends (Wilson's
interval with a finite population correction). A ratio or a difference of two totals: the method of variance estimates
recovery (Donner and Zou, "Closed-form confidence intervals for functions of the normal mean and standard deviation",
Statistical Methods in Medical Research 21, 2012), with the correlation that totals of the same strata have.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, hypot, inf, sqrt
from statistics import NormalDist

LEVEL = 0.95
_Z = NormalDist().inv_cdf((1 + LEVEL) / 2)


@dataclass(frozen=True, slots=True)
class Stratum:
    """A part of the population: how many jobs it has, how many of them were judged, and how many of these were hits."""

    jobs: int
    judged: int
    hits: int

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.judged <= self.jobs:
            raise ValueError("a stratum has no more hits than were judged, and no more judged than there are")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share from 0 to 1, and the bounds between which it lies with 95 %."""

    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Split:
    """A stratum of which some jobs are hits, some are the rest of what is asked about, and others are not asked about.

    Of a client's rejections, say: of 1,000 jobs 50 were judged, and of these 8 were wrong ones of this client and 20
    right ones. None: a job of this stratum cannot be that.
    """

    jobs: int
    judged: int
    hits: int | None
    rest: int | None


def estimate_share(strata: Sequence[Stratum]) -> Estimate | None:
    """Estimate which share of all jobs of the strata are hits; None where a stratum with jobs has none judged."""
    strata = [stratum for stratum in strata if stratum.jobs]
    if not strata or any(stratum.judged == 0 for stratum in strata):
        return None
    total = sum(stratum.jobs for stratum in strata)
    weights = [stratum.jobs / total for stratum in strata]
    # Rounded weights may come to a little more than 1.
    share = min(1.0, sum(weight * one.hits / one.judged for weight, one in zip(weights, strata, strict=True)))
    z = _common_quantile(strata, weights)
    bounds = [_wilson(stratum, z) for stratum in strata]
    low = sum(weight * bound[0] for weight, bound in zip(weights, bounds, strict=True))
    high = min(1.0, sum(weight * bound[1] for weight, bound in zip(weights, bounds, strict=True)))
    return Estimate(share, min(low, share), max(high, share))


def estimate_ratio(part: Sequence[Stratum], rest: Sequence[Stratum], *, correlation: float = 0.0) -> Estimate | None:
    """Estimate the hits of `part` among those of `part` and `rest` together, whose hits are different jobs.

    Of rejections that were right and passes that were wrong this is the recall of rejection. `correlation` is that of
    the two totals, 0 where they have no stratum in common. None where either cannot be estimated, or where there is no
    hit at all.
    """
    one, other = estimate_share(part), estimate_share(rest)
    if one is None or other is None:
        return None
    jobs, others = sum(stratum.jobs for stratum in part), sum(stratum.jobs for stratum in rest)
    return estimate_ratio_of(one, jobs, other, others, correlation=correlation)


def estimate_ratio_of(
    one: Estimate, jobs: int, other: Estimate, others: int, *, correlation: float = 0.0
) -> Estimate | None:
    """Estimate the hits among so many jobs with one share of them as a part of these and of the others' together."""
    if one.share + other.share == 0:
        return None
    top, top_low, top_high = one.share * jobs, one.low * jobs, one.high * jobs
    side, side_low, side_high = other.share * others, other.low * others, other.high * others
    if top == 0:
        return Estimate(0.0, 0.0, top_high / (top_high + side_low) if top_high + side_low else 1.0)
    # The ratio of the rest to the part has the bounds of Donner and Zou; the share falls where that ratio grows.
    low, high = _ratio_bounds((side, side_low, side_high), (top, top_low, top_high), correlation)
    return Estimate(top / (top + side), 1 / (1 + high), 1 / (1 + low))


def estimate_part(splits: Sequence[Split]) -> Estimate | None:
    """Estimate which share of what is asked about are hits, where nobody knows how many jobs are asked about.

    So of flagged jobs, say, that were no stratum of their own. None where that cannot be said.
    """
    part = [Stratum(one.jobs, one.judged, one.hits) for one in splits if one.hits is not None]
    rest = [Stratum(one.jobs, one.judged, one.rest) for one in splits if one.rest is not None]
    return estimate_ratio(part, rest, correlation=_correlation(splits))


def estimate_difference(one: Estimate, other: Estimate) -> Estimate:
    """Estimate `one` less `other`, of two samples that were drawn apart: a number from -1 to 1."""
    share = one.share - other.share
    down = sqrt((one.share - one.low) ** 2 + (other.high - other.share) ** 2)
    up = sqrt((one.high - one.share) ** 2 + (other.share - other.low) ** 2)
    return Estimate(share, max(-1.0, share - down), min(1.0, share + up))


def correct_share(observed: Estimate, jobs: int, said_hit: Estimate, missed: Estimate) -> Estimate | None:
    """Estimate which share of so many jobs is hits where those who say so err: Rogan and Gladen's estimate (1978).

    `said_hit` is how often they say so of what is no hit, and `missed` how often they do not of what is one; None where
    chance would say as much. The interval is that of Donner and Zou for what is estimated of each of the three apart.
    """
    told = 1 - said_hit.share - missed.share
    if told <= 0:
        return None
    raw = (observed.share - said_hit.share) / told
    share = min(1.0, max(0.0, raw))
    # Whoever judges all jobs errs by chance, too: what the end of the population takes from the interval of drawing.
    errs = share * missed.share * (1 - missed.share) + (1 - share) * said_hit.share * (1 - said_hit.share)
    by_chance = _Z * sqrt(errs / jobs)
    down = hypot(
        by_chance,
        observed.share - observed.low,
        (1 - share) * (said_hit.high - said_hit.share),
        share * (missed.share - missed.low),
    )
    up = hypot(
        by_chance,
        observed.high - observed.share,
        (1 - share) * (said_hit.share - said_hit.low),
        share * (missed.high - missed.share),
    )
    return Estimate(share, min(1.0, max(0.0, raw - down / told)), max(0.0, min(1.0, raw + up / told)))


def count_to_halve(jobs: int, judged: int) -> int:
    """Say how many more jobs of so many make an interval half as wide, drawn and judged as those before."""
    if judged == 0 or judged >= jobs:
        return 0
    # An interval is as wide as the root of 1/judged - 1/jobs.
    return min(jobs, ceil(1 / (1 / jobs + (1 / judged - 1 / jobs) / 4))) - judged


def _common_quantile(strata: Sequence[Stratum], weights: Sequence[float]) -> float:
    """Find the quantile for each stratum at which the weighted sum of the intervals holds the level."""
    z = _Z
    for _ in range(100):
        deviations = [_deviation(stratum, z) for stratum in strata]
        spread = sum(weight * deviation for weight, deviation in zip(weights, deviations, strict=True))
        if spread == 0:
            return z
        squares = sum((weight * deviation) ** 2 for weight, deviation in zip(weights, deviations, strict=True))
        following = _Z * sqrt(squares) / spread
        if abs(following - z) < 1e-9:
            return following
        z = following
    return z


def _deviation(stratum: Stratum, z: float) -> float:
    size, share = _effective_size(stratum), stratum.hits / stratum.judged
    if size == inf:
        return 0.0
    return sqrt(share * (1 - share) / size + z * z / (4 * size * size)) / (1 + z * z / size)


def _wilson(stratum: Stratum, z: float) -> tuple[float, float]:
    size, share = _effective_size(stratum), stratum.hits / stratum.judged
    if size == inf:
        return share, share
    centre = (share + z * z / (2 * size)) / (1 + z * z / size)
    half = z * _deviation(stratum, z)
    return max(0.0, centre - half), min(1.0, centre + half)


def _effective_size(stratum: Stratum) -> float:
    """Return the size of a sample from a population without end that says as much."""
    if stratum.judged == stratum.jobs:
        return inf
    return stratum.judged * (stratum.jobs - 1) / (stratum.jobs - stratum.judged)


def _correlation(splits: Sequence[Split]) -> float:
    """Return the correlation of the totals of hits and of the rest: a job that is one is not the other."""
    both = hits = rest = 0.0
    for one in splits:
        if one.hits is not None and one.rest is not None and 0 < one.judged < one.jobs:
            # As if one more job had been judged that is half of each: no variance is 0 because nothing was found.
            first, second = (one.hits + 0.5) / (one.judged + 1), (one.rest + 0.5) / (one.judged + 1)
            weight = one.jobs**2 * (1 / one.judged - 1 / one.jobs)
            both -= weight * first * second
            hits += weight * first * (1 - first)
            rest += weight * second * (1 - second)
    return both / sqrt(hits * rest) if hits * rest else 0.0


def _ratio_bounds(
    top: tuple[float, float, float], side: tuple[float, float, float], correlation: float
) -> tuple[float, float]:
    """Return the bounds of a ratio of two values, each with its own bounds."""
    (a, a_low, a_high), (b, b_low, b_high) = top, side
    product = a * b - correlation * (a - a_low) * (b_high - b)
    low_root = product**2 - a_low * b_high * (2 * a - a_low) * (2 * b - b_high)
    low = (product - sqrt(max(0.0, low_root))) / (b_high * (2 * b - b_high)) if b_high < 2 * b else a_low / b_high
    product = a * b - correlation * (a_high - a) * (b - b_low)
    high_root = product**2 - a_high * b_low * (2 * a - a_high) * (2 * b - b_low)
    high = (product + sqrt(max(0.0, high_root))) / (b_low * (2 * b - b_low)) if b_low > 0 else inf
    return max(0.0, low), high
