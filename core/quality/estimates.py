"""Shares of a population from a stratified sample, with intervals that hold for few and for no hits.

Many populations are drawn that what was judged may come from, and an interval is where 95 % of their shares lie: a
Bayesian posterior, in each stratum Dirichlet's, of which the jobs that nobody has judged are drawn. Before anything is
judged there is half a job of each kind in all strata together, which each gets as much of as it adds to the variance.
So one stratum has Jeffreys' prior, and many strata without a hit do not add up to hits that nobody saw; it comes near
the prior whose intervals hold in frequency for a weighted sum (Tibshirani, "Noninformative priors for one parameter of
many", Biometrika 76, 1989).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, reduce
from math import ceil
from typing import Self

import numpy as np
import numpy.typing as npt

LEVEL = 0.95
DRAWS = 4_000

# Of many strata not more than so many shares are drawn, for a page with dozens of figures; but of each so many.
_MOST, _FEWEST = 100_000, 1_000

# The same verdicts have the same interval, whoever asks and when.
_SEED = 1

# Of so many times as many jobs as were judged the end makes an interval narrower by half a hundredth at the most.
_ENDLESS = 100

# What is there before anything is judged: so much of a job of each kind.
_PRIOR = 0.5

Draws = npt.NDArray[np.float64]


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
    """A share from 0 to 1, the bounds between which it lies with 95 %, and what else it may be, each as likely."""

    share: float
    low: float
    high: float
    likely: Draws = field(repr=False, compare=False)

    @classmethod
    def of(cls, share: float, likely: Draws) -> Self:
        """Bound a share by those that are as likely."""
        low, high = np.quantile(likely, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
        return cls(share, min(float(low), share), max(float(high), share), likely)


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
    return _estimate(tuple((one.jobs, one.judged, (one.hits, one.judged - one.hits)) for one in strata))


def estimate_ratio(part: Sequence[Stratum], rest: Sequence[Stratum]) -> Estimate | None:
    """Estimate the hits of `part` among those of `part` and `rest` together, which have no stratum in common.

    Of rejections that were right and passes that were wrong this is the recall of rejection. None where either cannot
    be estimated, or where there is no hit at all.
    """
    splits = [Split(one.jobs, one.judged, one.hits, None) for one in part]
    return estimate_part([*splits, *(Split(one.jobs, one.judged, None, one.hits) for one in rest)])


def estimate_ratio_of(one: Estimate, jobs: int, other: Estimate, others: int) -> Estimate | None:
    """Estimate the hits among so many jobs with one share of them as a part of these and of the others' together."""
    if one.share + other.share == 0:
        return None
    top, side = one.share * jobs, other.share * others
    return Estimate.of(top / (top + side), _ratio(one.likely * jobs, _mix(other.likely) * others))


def estimate_part(splits: Sequence[Split]) -> Estimate | None:
    """Estimate which share of what is asked about are hits, where nobody knows how many jobs are asked about.

    So of flagged jobs, say, that were no stratum of their own. None where that cannot be said.
    """
    return _estimate(
        tuple(
            (one.jobs, one.judged, (one.hits, one.rest, one.judged - (one.hits or 0) - (one.rest or 0)))
            for one in splits
            if one.jobs
        )
    )


def estimate_difference(one: Estimate, other: Estimate) -> Estimate:
    """Estimate `one` less `other`, of two samples that were drawn apart: a number from -1 to 1."""
    return Estimate.of(one.share - other.share, one.likely - _mix(other.likely))


def correct_share(observed: Estimate, jobs: int, said_hit: Estimate, missed: Estimate) -> Estimate | None:
    """Estimate which share of so many jobs is hits where those who say so err: Rogan and Gladen's estimate (1978).

    `said_hit` is how often they say so of what is no hit, and `missed` how often they do not of what is one; None where
    chance would say as much.
    """
    told = 1 - said_hit.share - missed.share
    if told <= 0:
        return None
    share = min(1.0, max(0.0, (observed.share - said_hit.share) / told))
    said, miss = _mix(said_hit.likely), _mix(missed.likely, 2)
    tell = np.maximum(1 - said - miss, 1e-9)
    raw = (observed.likely - said) / tell
    # Whoever judges all jobs errs by chance, too: what the end of the population takes from the interval of drawing.
    within = np.clip(raw, 0, 1)
    errs = within * miss * (1 - miss) + (1 - within) * said * (1 - said)
    by_chance = np.random.default_rng(_SEED).standard_normal(raw.shape) * np.sqrt(errs / jobs) / tell
    return Estimate.of(share, np.clip(raw + by_chance, 0, 1))


def count_to_halve(jobs: int, judged: int) -> int:
    """Say how many more jobs of so many make an interval half as wide, drawn and judged as those before."""
    if judged == 0 or judged >= jobs:
        return 0
    # An interval is as wide as the root of 1/judged - 1/jobs.
    return min(jobs, ceil(1 / (1 / jobs + (1 / judged - 1 / jobs) / 4))) - judged


# Jobs, how many of them were judged, and how many of these are of each kind: hits, the rest, and perhaps others.
_Counted = tuple[int, int, tuple[int | None, ...]]


# A page shows the same figures many times, and most of them twice.
@lru_cache(maxsize=256)
def _estimate(strata: tuple[_Counted, ...]) -> Estimate | None:
    if not strata or any(judged == 0 for _, judged, _ in strata):
        return None
    top, side = (sum(jobs * (kinds[kind] or 0) / judged for jobs, judged, kinds in strata) for kind in (0, 1))
    if top + side == 0:
        return None
    totals = _draw_totals(strata)
    found = Estimate.of(top / (top + side), _ratio(totals[0], totals[1]))
    low, high = _low(strata, 0, totals[1]), 1 - _low(strata, 1, totals[0])
    return replace(found, low=min(found.low, low), high=max(found.high, high))


def _low(strata: Sequence[_Counted], kind: int, others: Draws) -> float:
    """Bound the share of a kind, beside the others, from below as if it were where it was found, and nowhere else.

    What the prior gives to strata without one adds up to more than none, and none may be what they have.
    """
    where = tuple(one for one in strata if one[2][kind])
    if not where or all(one[2][kind] != 0 for one in strata):
        return 1.0 if where else 0.0
    own = _draw_totals(where)[kind]
    is_share = all(len(kinds) == 2 for _, _, kinds in strata)
    rest = sum(one[0] for one in strata) - own if is_share else _mix(others)
    return float(np.quantile(_ratio(own, rest), (1 - LEVEL) / 2))


def _draw_totals(strata: Sequence[_Counted]) -> Draws:
    """Draw how many jobs of each kind there may be in all, a row for each kind."""
    random = np.random.default_rng(_SEED)
    jobs = np.array([one[0] for one in strata])
    judged = np.array([one[1] for one in strata])
    kinds = np.array([[number or 0 for number in one[2]] for one in strata])
    may_be = np.array([[number is not None for number in one[2]] for one in strata])
    likely = kinds + _PRIOR * _share_out(may_be, jobs, judged, kinds)
    draws = min(DRAWS, max(_FEWEST, _MOST // len(strata)))
    left = jobs - judged
    shares = random.standard_gamma(likely, (draws, *likely.shape))
    shares /= _add_up(shares, 2)[:, :, None]
    counts = shares * left[:, None]
    ends = left <= _ENDLESS * judged
    counts[:, ends] = random.multinomial(left[ends], shares[:, ends])
    totals: Draws = (kinds.sum(axis=0) + _add_up(counts, 1)).T
    # As many as of all others, so that they can be set against each other.
    return np.tile(totals, ceil(DRAWS / draws))[:, :DRAWS]


def _add_up(drawn: Draws, axis: int) -> Draws:
    """Add up a few strata, or kinds, of many draws: slice by slice that takes a tenth of the time of NumPy's sum."""
    slices: list[Draws] = list(np.moveaxis(drawn, axis, 0))
    return reduce(np.add, slices)


def _share_out(
    may_be: npt.NDArray[np.bool_],
    jobs: npt.NDArray[np.int64],
    judged: npt.NDArray[np.int64],
    kinds: npt.NDArray[np.int64],
) -> Draws:
    """Give each stratum the part of the variance of each kind's total that it has."""
    # As if one more job had been judged that is half of each: no variance is 0 because nothing was found.
    shares = (kinds + 0.5) / (judged + 1)[:, None]
    weights = jobs.astype(np.float64) ** 2 * (1 / judged - 1 / jobs)
    variances: Draws = may_be * weights[:, None] * shares * (1 - shares)
    variances /= np.maximum(variances.sum(axis=0), np.finfo(np.float64).tiny)
    return variances


def _ratio(top: Draws, side: Draws) -> Draws:
    return top / np.maximum(top + side, np.finfo(np.float64).tiny)


def _mix(likely: Draws, turn: int = 1) -> Draws:
    """Put draws into another order, so that nothing holds them to those of another sample."""
    return likely[_order(len(likely), turn)]


@lru_cache(maxsize=4)
def _order(length: int, turn: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng(_SEED + turn).permutation(length)
