"""Krippendorff's alpha: how far people who judged the same jobs agree, beyond what chance alone would give."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# How often the jobs are drawn anew, and from which seed: the same verdicts have the same interval.
DRAWS, SEED = 2_000, 1

# Fewer jobs than this say too little for an interval; so do draws of which so many have no alpha.
FEWEST = 10
MOST_UNKNOWN = 0.05

# How many verdicts on a job say yes, and how many no.
Counts = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Jobs with two or more firm verdicts, and on how many of them all of these come to the same.

    `alpha` is Krippendorff's for nominal data ("Content Analysis", 2019, chapter 12): 1 is full agreement, 0 is what
    chance alone would give. Unlike Cohen's kappa it takes any number of reviewers a job. None where all verdicts come
    to the same, so that chance could give nothing else. `interval` holds it with 95 %, as far as the jobs tell that.
    """

    jobs: int
    unanimous: int
    alpha: float | None = None
    interval: tuple[float, float] | None = None


def measure(jobs: Mapping[Counts, int]) -> Agreement:
    """Measure agreement; `jobs` tells how many have so many verdicts for and against. Fewer than two do not count.

    The interval is that of a bootstrap: jobs are drawn anew, with all their verdicts; its ends are the 2.5th and the
    97.5th percentile. Verdicts of one job hang together; jobs are what chance has brought.
    """
    pairs = {counts: number for counts, number in jobs.items() if sum(counts) >= 2 and number}
    total = sum(pairs.values())
    unanimous = sum(number for counts, number in pairs.items() if 0 in counts)
    if not total:
        return Agreement(0, 0)
    kinds, numbers = np.array(list(pairs), dtype=float), np.array(list(pairs.values()), dtype=float)
    (alpha,) = _alphas(kinds, numbers[np.newaxis])
    if np.isnan(alpha):
        return Agreement(total, unanimous)
    drawn = np.random.default_rng(SEED).multinomial(total, numbers / total, size=DRAWS)
    alphas = _alphas(kinds, drawn)
    if total < FEWEST or np.isnan(alphas).mean() > MOST_UNKNOWN:
        return Agreement(total, unanimous, float(alpha))
    low, high = np.nanpercentile(alphas, (2.5, 97.5))
    return Agreement(total, unanimous, float(alpha), (float(low), float(high)))


def _alphas(kinds: npt.NDArray[np.float64], numbers: npt.NDArray[np.number]) -> npt.NDArray[np.float64]:
    """Return an alpha for each row of numbers of jobs of each kind; NaN where all verdicts come to the same."""
    yes, no = kinds[:, 0], kinds[:, 1]
    # The pairs of verdicts on one job that differ, each job's weighted by how many others a verdict meets.
    differing = numbers @ (yes * no / (yes + no - 1))
    all_yes, all_no = numbers @ yes, numbers @ no
    by_chance = all_yes * all_no / (all_yes + all_no - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(by_chance > 0, 1 - differing / by_chance, np.nan)
