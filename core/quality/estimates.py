"""Shares of a population from a stratified sample, with intervals that hold for few and for no hits.

A share over strata: Wilson's interval in each stratum, at a level that makes the weighted sum hold 95 % (Yan and Su,
"Stratified Wilson and Newcombe Confidence Intervals for Multiple Binomial Proportions", Statistics in
Biopharmaceutical Research 2, 2010), each with the size that its sample has beside a population that ends (Wilson's
interval with a finite population correction). A ratio of independent totals: the method of variance estimates recovery
(Donner and Zou, "Closed-form confidence intervals for functions of the normal mean and standard deviation",
Statistical Methods in Medical Research 21, 2012).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt
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


def estimate_share(strata: Sequence[Stratum]) -> Estimate | None:
    """Estimate which share of all jobs of the strata are hits; None where a stratum with jobs has none judged."""
    strata = [stratum for stratum in strata if stratum.jobs]
    if not strata or any(stratum.judged == 0 for stratum in strata):
        return None
    total = sum(stratum.jobs for stratum in strata)
    weights = [stratum.jobs / total for stratum in strata]
    share = sum(weight * stratum.hits / stratum.judged for weight, stratum in zip(weights, strata, strict=True))
    z = _common_quantile(strata, weights)
    bounds = [_wilson(stratum, z) for stratum in strata]
    low = sum(weight * bound[0] for weight, bound in zip(weights, bounds, strict=True))
    high = sum(weight * bound[1] for weight, bound in zip(weights, bounds, strict=True))
    return Estimate(share, min(low, share), max(high, share))


def estimate_ratio(part: Sequence[Stratum], rest: Sequence[Stratum]) -> Estimate | None:
    """Estimate the hits of `part` among those of `part` and `rest` together, two sets of strata with no job in common.

    Of rejections that were right and passes that were wrong this is the recall of rejection. None where either cannot
    be estimated, or where there is no hit at all.
    """
    one, other = estimate_share(part), estimate_share(rest)
    if one is None or other is None or one.share + other.share == 0:
        return None
    jobs, others = sum(stratum.jobs for stratum in part), sum(stratum.jobs for stratum in rest)
    top, top_low, top_high = one.share * jobs, one.low * jobs, one.high * jobs
    side, side_low, side_high = other.share * others, other.low * others, other.high * others
    if top == 0:
        return Estimate(0.0, 0.0, top_high / (top_high + side_low) if top_high + side_low else 1.0)
    # The ratio of the rest to the part has the bounds of Donner and Zou; the share falls where that ratio grows.
    low, high = _ratio_bounds((side, side_low, side_high), (top, top_low, top_high))
    return Estimate(top / (top + side), 1 / (1 + high), 1 / (1 + low))


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


def _ratio_bounds(top: tuple[float, float, float], side: tuple[float, float, float]) -> tuple[float, float]:
    """Return the bounds of a ratio of two independent values, each with its own bounds."""
    (a, a_low, a_high), (b, b_low, b_high) = top, side
    low_root = (a * b) ** 2 - a_low * b_high * (2 * a - a_low) * (2 * b - b_high)
    low = (a * b - sqrt(max(0.0, low_root))) / (b_high * (2 * b - b_high)) if b_high < 2 * b else a_low / b_high
    high_root = (a * b) ** 2 - a_high * b_low * (2 * a - a_high) * (2 * b - b_low)
    high = (a * b + sqrt(max(0.0, high_root))) / (b_low * (2 * b - b_low)) if b_low > 0 else inf
    return max(0.0, low), high
