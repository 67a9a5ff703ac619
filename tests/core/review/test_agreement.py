"""Krippendorff's alpha, against a second implementation, and how often its interval is right."""

from collections import Counter

import krippendorff
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.review.agreement import Agreement, measure

KINDS = st.tuples(st.integers(0, 4), st.integers(0, 4))


@given(st.dictionaries(KINDS, st.integers(1, 30), min_size=1, max_size=8))
def test_it_is_what_another_implementation_says(jobs: dict[tuple[int, int], int]) -> None:
    """Alpha is the library's for any number of verdicts on each job, and lies within its own interval."""
    found = measure(jobs)

    rows = [counts for counts, number in jobs.items() for _ in range(number) if sum(counts) >= 2]
    if found.alpha is not None:
        assert found.alpha == pytest.approx(
            krippendorff.alpha(value_counts=np.array(rows), level_of_measurement="nominal")
        )
    else:
        assert len({yes > 0 for yes, _ in rows}) < 2 or not rows
    assert (found.jobs, found.unanimous) == (len(rows), sum(0 in counts for counts in rows))
    if found.interval is not None and found.alpha is not None:
        assert -1 <= found.interval[0] <= found.interval[1] <= 1


def test_what_cannot_be_said_is_not_said() -> None:
    """Without two verdicts there is nothing; where all say the same no alpha; of few jobs no interval."""
    assert measure({(1, 0): 9, (0, 1): 3}) == Agreement(0, 0)
    assert measure({(2, 0): 9}) == Agreement(9, 9)
    assert measure({(2, 0): 4, (1, 1): 1, (0, 2): 4}).interval is None
    few, many = measure({(2, 0): 10, (1, 1): 4, (0, 2): 10}), measure({(2, 0): 1_000, (1, 1): 400, (0, 2): 1_000})
    assert few.alpha == pytest.approx(many.alpha, abs=0.02)
    assert few.interval is not None
    assert many.interval is not None
    assert many.interval[1] - many.interval[0] < (few.interval[1] - few.interval[0]) / 5


def test_intervals_hold_the_truth() -> None:
    """Of 400 samples of 150 jobs with two or three reviewers who err, 92 to 97 % of the intervals hold the alpha."""
    chance = np.random.default_rng(7)

    def draw(jobs: int) -> Counter[tuple[int, int]]:
        truth = chance.random(jobs) < 0.3
        people = chance.integers(2, 4, jobs)
        right = chance.random((jobs, 3)) < 0.85
        yes = ((right == truth[:, np.newaxis]) & (np.arange(3) < people[:, np.newaxis])).sum(axis=1)
        return Counter(zip(yes.tolist(), (people - yes).tolist(), strict=True))

    truth = measure(draw(1_000_000)).alpha
    assert truth is not None
    intervals = [measure(draw(150)).interval for _ in range(400)]
    held = sum(one is not None and one[0] <= truth <= one[1] for one in intervals)

    assert 0.92 <= held / len(intervals) <= 0.97
