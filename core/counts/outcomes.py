"""What becomes of jobs, counted by all that is told apart of them: everything about categories is a sum of these."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, combinations

from core.jobs.filter import Category


@dataclass(frozen=True, slots=True)
class Combination:
    """So many jobs that were decided alike and whose latest logs say the same.

    `cells` are all None where no log exists (`evaluated` False), and one is where its category was not evaluated.
    """

    is_prohibited: bool | None
    evaluated: bool
    cells: Mapping[Category, bool | None]
    total: int

    @property
    def flags(self) -> frozenset[Category]:
        """The categories that are true."""
        return frozenset(category for category, cell in self.cells.items() if cell)


@dataclass(frozen=True, slots=True)
class Sums:
    """What combinations come to: how many jobs, how they were decided, and how many each category flags.

    `flagged` counts a job for each of its categories; `any_flagged` counts it once.
    """

    jobs: int
    rejected: int
    passed: int
    undecided: int
    evaluated: int
    any_flagged: int
    flagged: Mapping[Category, int]

    @property
    def decided(self) -> int:
        return self.rejected + self.passed


# Every way in which flags can come together, from one flag to all of them.
FLAG_SETS = tuple(
    frozenset(flags)
    for flags in chain.from_iterable(combinations(Category, size) for size in range(1, len(Category) + 1))
)


def sum_up(counted: Iterable[Combination]) -> Sums:
    """Add combinations up."""
    decided = {True: 0, False: 0, None: 0}
    flagged = dict.fromkeys(Category, 0)
    evaluated = any_flagged = 0
    # Once through them: a quarter has thousands.
    for one in counted:
        decided[one.is_prohibited] += one.total
        if not one.evaluated:
            continue
        evaluated += one.total
        flags = [category for category, cell in one.cells.items() if cell]
        for category in flags:
            flagged[category] += one.total
        any_flagged += one.total if flags else 0
    return Sums(
        jobs=sum(decided.values()),
        rejected=decided[True],
        passed=decided[False],
        undecided=decided[None],
        evaluated=evaluated,
        any_flagged=any_flagged,
        flagged=flagged,
    )


def count_together(counted: Iterable[Combination]) -> dict[frozenset[Category], int]:
    """Count the jobs whose flags are exactly these, for each of `FLAG_SETS`: no job is counted twice."""
    found = dict.fromkeys(FLAG_SETS, 0)
    for one in counted:
        if one.flags:
            found[one.flags] += one.total
    return found


def share(part: int, whole: int) -> float | None:
    """Return a part of a whole between 0 and 1, or None where there is no whole."""
    return part / whole if whole else None
