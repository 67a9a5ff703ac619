"""How many jobs of each stratum a sample gets."""

from collections.abc import Mapping
from math import sqrt
from typing import Any

Strata = tuple[Any, ...]

# What is expected to be wrong of rejected and of passed jobs before anybody has looked: passes are the rare fault.
EXPECTED = {True: 0.1, False: 0.02}


def allocate(jobs: Mapping[Strata, int], size: int, *, at_least: int) -> dict[Strata, int]:
    """Give each stratum at least so many of `size` jobs, and the rest in proportion; none gets more than it has.

    Where the least of all strata is more than `size`, the sample is that much larger. Fractions go to the strata that
    are cut most, so that the sum is met exactly as far as there are jobs.
    """
    return _share_out(jobs, {stratum: float(number) for stratum, number in jobs.items()}, size, at_least)


def allocate_for_decisions(
    jobs: Mapping[Strata, int], decision_at: int, size: int, *, at_least: int
) -> dict[Strata, int]:
    """Give each stratum at least so many, and the rest where it narrows the answer most (Neyman's allocation).

    `decision_at` is the place of the decision in a stratum's values.
    """
    weights = {
        stratum: number * sqrt(EXPECTED[stratum[decision_at]] * (1 - EXPECTED[stratum[decision_at]]))
        for stratum, number in jobs.items()
    }
    return _share_out(jobs, weights, size, at_least)


def _share_out(
    jobs: Mapping[Strata, int], weights: Mapping[Strata, float], size: int, at_least: int
) -> dict[Strata, int]:
    given = {stratum: min(at_least, number) for stratum, number in jobs.items()}
    rest = min(size, sum(jobs.values())) - sum(given.values())
    while rest > 0:
        room = {stratum: number - given[stratum] for stratum, number in jobs.items() if given[stratum] < number}
        total = sum(weights[stratum] for stratum in room)
        exact = {stratum: rest * weights[stratum] / total for stratum in room}
        steps = {stratum: min(int(exact[stratum]), room[stratum]) for stratum in room}
        # What whole numbers leave over goes to the largest fractions; what full strata leave over, around once more.
        by_fraction = sorted(room, key=lambda stratum: (int(exact[stratum]) - exact[stratum], str(stratum)))
        for stratum in by_fraction[: rest - sum(int(share) for share in exact.values())]:
            steps[stratum] = min(steps[stratum] + 1, room[stratum])
        for stratum, step in steps.items():
            given[stratum] += step
        rest -= sum(steps.values())
    return given
