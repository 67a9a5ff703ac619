"""Estimates: as those of a second library where that has them, and right as often as they say."""

from math import sqrt

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.random import Generator, default_rng

from core.quality.estimates import (
    Split,
    Stratum,
    count_to_halve,
    estimate_difference,
    estimate_part,
    estimate_ratio,
    estimate_share,
)

ENDLESS = 10**15

# Jobs and sizes of strata, and how often each has a hit: from easy to nasty.
DESIGNS = {
    "one stratum": ([100_000], [300], [0.1]),
    "in proportion": ([50_000, 30_000, 15_000, 5_000], [150, 90, 45, 15], [0.05, 0.1, 0.2, 0.4]),
    "rare strata": ([90_000, 9_000, 900, 100], [100] * 4, [0.01, 0.05, 0.5, 0.8]),
    "strata without a hit": ([60_000, 30_000, 9_000, 1_000], [75] * 4, [0.002, 0.0, 0.1, 0.3]),
    "one client has most": ([95_000, 1_000, 1_000, 1_000, 2_000], [200, 50, 50, 50, 50], [0.08, 0.3, 0.02, 0.0, 0.5]),
    "nearly all judged": ([400, 300, 50], [100, 100, 50], [0.1, 0.3, 0.5]),
    "unequal chances": ([80_000, 20_000], [60, 440], [0.15, 0.03]),
    "hits in small strata": ([37_954, 243, 96, 7_126], [13] * 4, [0.0, 0.033, 0.354, 0.0]),
}


# So many samples are drawn, of which so many are looked at.
DRAWN, LOOKED_AT = 40_000, 200


def draw(random: Generator, jobs: int, hits: int, size: int) -> npt.NDArray[np.int64]:
    """Count the hits in each of many samples without replacement."""
    return random.hypergeometric(hits, jobs - hits, size, DRAWN)


def pick(estimates: npt.NDArray[np.float64]) -> list[int]:
    """Pick samples by what they say: one of each 200th part of them in order.

    Whether an interval holds the truth is for the most part a matter of how far its middle is from it, and that is
    spread here as evenly as it is by chance. So 200 of them vary less than 400 do that are taken as they come.
    """
    each = DRAWN // LOOKED_AT
    return [int(place) for place in np.argsort(estimates, kind="stable")[each // 2 :: each]]


def add_up(jobs: list[int], sizes: list[int], hits: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.float64]:
    """Say how many hits each sample tells of in all strata."""
    told: npt.NDArray[np.float64] = sum(
        (number * found / size for number, size, found in zip(jobs, sizes, hits, strict=True)), np.zeros(DRAWN)
    )
    return told


@pytest.mark.parametrize(("judged", "hits"), [(10, 0), (10, 10), (50, 1), (300, 30), (1000, 999)])
def test_one_endless_stratum_has_jeffreys_interval(judged: int, hits: int) -> None:
    """With one stratum and no end of the population the interval is Jeffreys', as SciPy has it, but for drawing."""
    # Imported here, because it takes longer than the test, and every worker collects this file.
    from scipy.stats import beta

    low, high = beta.ppf((0.025, 0.975), hits + 0.5, judged - hits + 0.5)

    found = estimate_share([Stratum(ENDLESS, judged, hits)])

    assert found is not None
    assert found.share == hits / judged
    assert found.low == pytest.approx(low if hits else 0, abs=(high - low) / 20)
    assert found.high == pytest.approx(high if hits < judged else 1, abs=(high - low) / 20)


def test_one_stratum_that_ends_has_the_interval_of_what_is_left() -> None:
    """Of few jobs those that nobody has judged are drawn as SciPy's beta-binomial distribution has them."""
    from scipy.stats import betabinom

    low, high = betabinom.ppf((0.025, 0.975), 300, 20.5, 80.5)

    found = estimate_share([Stratum(400, 100, 20)])

    assert found is not None
    assert (found.low, found.high) == pytest.approx(((20 + low) / 400, (20 + high) / 400), abs=0.005)


def test_one_ratio_has_the_interval_of_what_is_asked_about() -> None:
    """In one stratum others do not matter: 12 hits and 8 of the rest are a share of 20, however many were judged."""
    from scipy.stats import beta

    expected = beta.ppf((0.025, 0.975), 12.5, 8.5)

    found = estimate_part([Split(ENDLESS, 300, 12, 8)])

    assert found is not None
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.01)


def test_strata_without_a_hit_do_not_add_up() -> None:
    """No hit among 300 jobs says nearly the same of ten like strata with 30 each as of one."""
    one, ten = estimate_share([Stratum(ENDLESS, 300, 0)]), estimate_share([Stratum(ENDLESS, 30, 0)] * 10)

    assert one is not None
    assert ten is not None
    assert ten.high == pytest.approx(one.high, rel=0.1)


def test_the_same_verdicts_have_the_same_interval() -> None:
    """Whoever asks and when; two samples with the same verdicts differ by nothing, give or take the chance of both."""
    strata = [Stratum(1000, 50, 5), Stratum(9000, 100, 1)]
    one, other = estimate_share(strata), estimate_share([*strata, Stratum(0, 0, 0)])

    assert one is not None
    assert one == other
    change = estimate_difference(one, one)
    assert change.share == 0
    assert change.high - change.low == pytest.approx(sqrt(2) * (one.high - one.low), rel=0.1)


@pytest.mark.parametrize("design", DESIGNS)
def test_intervals_hold_the_truth_as_often_as_they_say(design: str) -> None:
    """Of 200 samples about 190 have an interval with the truth in it, for nasty designs too."""
    jobs, sizes, shares = DESIGNS[design]
    hits = [round(number * share) for number, share in zip(jobs, shares, strict=True)]
    truth, random, held = sum(hits) / sum(jobs), default_rng(1), 0
    drawn = [draw(random, number, hit, size) for number, hit, size in zip(jobs, hits, sizes, strict=True)]

    for place in pick(add_up(jobs, sizes, drawn)):
        found = estimate_share(
            [Stratum(number, size, int(hit[place])) for number, size, hit in zip(jobs, sizes, drawn, strict=True)]
        )
        assert found is not None
        held += found.low <= truth <= found.high

    assert 183 <= held <= 198


@pytest.mark.parametrize("missed", [0.002, 0.01, 0.05])
def test_recall_holds_the_truth(missed: float) -> None:
    """Of 200 samples of 600 jobs at least 186 have an interval of recall with the truth in it."""
    rejected, passed, random, held = 12_000, 88_000, default_rng(1), 0
    wrong, right = round(passed * missed), round(rejected * 0.88)
    truth = right / (right + wrong)
    caught, escaped = draw(random, rejected, right, 240), draw(random, passed, wrong, 360)

    for place in pick(caught / 240 * rejected / (caught / 240 * rejected + escaped / 360 * passed)):
        found = estimate_ratio(
            [Stratum(rejected, 240, int(caught[place]))], [Stratum(passed, 360, int(escaped[place]))]
        )
        assert found is not None
        held += found.low <= truth <= found.high

    assert held >= 186


# Jobs and sizes of strata, and in each the shares of hits and of the rest of what is asked about.
PARTS = {
    "all is asked about": ([100_000], [300], [(0.1, 0.9)]),
    "a tenth is asked about": ([100_000], [300], [(0.02, 0.08)]),
    "two strata": ([20_000, 80_000], [300, 300], [(0.3, 0.3), (0.005, 0.02)]),
    "a flag that misses rarely": ([12_000, 88_000], [300, 300], [(0.5, 0.1), (0.0, 0.004)]),
    "in proportion": (
        [50_000, 30_000, 15_000, 5_000],
        [150, 90, 45, 15],
        [(0.02, 0.3), (0.05, 0.2), (0.2, 0.2), (0.4, 0.1)],
    ),
    "nearly all judged": ([400, 300, 50], [100, 100, 50], [(0.1, 0.3), (0.3, 0.3), (0.5, 0.5)]),
}


@pytest.mark.parametrize("design", PARTS)
def test_parts_of_strata_hold_the_truth(design: str) -> None:
    """Of 200 samples about 190 have an interval with the truth in it, also where the strata know no such jobs."""
    jobs, sizes, shares = PARTS[design]
    counts = [(round(n * hit), round(n * rest)) for n, (hit, rest) in zip(jobs, shares, strict=True)]
    truth = sum(hit for hit, _ in counts) / sum(hit + rest for hit, rest in counts)
    random, held = default_rng(1), 0
    drawn = [
        random.multivariate_hypergeometric([hit, rest, number - hit - rest], size, DRAWN, method="marginals")
        for number, size, (hit, rest) in zip(jobs, sizes, counts, strict=True)
    ]
    top, side = (add_up(jobs, sizes, [one[:, kind] for one in drawn]) for kind in (0, 1))

    for place in pick(top / (top + side)):
        found = estimate_part(
            [
                Split(number, size, int(one[place, 0]), int(one[place, 1]))
                for number, size, one in zip(jobs, sizes, drawn, strict=True)
            ]
        )
        assert found is not None
        held += found.low <= truth <= found.high

    assert 183 <= held <= 198


def test_differences_are_found_by_chance_as_rarely_as_they_say() -> None:
    """Of 400 pairs of samples of the same share about 5 % differ; one far from the other does."""
    random, found = default_rng(1), 0
    for _ in range(400):
        one, other = (estimate_share([Stratum(10**6, 300, int(random.binomial(300, 0.1)))]) for _ in range(2))
        assert one is not None
        assert other is not None
        difference = estimate_difference(one, other)
        found += not difference.low <= 0 <= difference.high

    assert 9 <= found <= 32
    one, other = (estimate_share([Stratum(10**6, 300, hits)]) for hits in (60, 20))
    assert one is not None
    assert other is not None
    assert estimate_difference(one, other).low > 0


def test_so_many_more_jobs_make_an_interval_half_as_wide() -> None:
    """The number that is said makes it half as wide, within a twentieth; of few jobs no more than there are."""
    for jobs, judged in ((10**9, 300), (2_000, 500)):
        more = count_to_halve(jobs, judged)
        wide, narrow = (estimate_share([Stratum(jobs, size, size // 5)]) for size in (judged, judged + more))
        assert wide is not None
        assert narrow is not None
        assert (narrow.high - narrow.low) / (wide.high - wide.low) == pytest.approx(0.5, rel=0.05)
    assert (count_to_halve(40, 40), count_to_halve(40, 0)) == (0, 0)


@given(st.lists(st.tuples(st.integers(1, 10_000), st.integers(1, 50), st.integers(0, 50)), min_size=1, max_size=6))
@example([(27, 5, 5), (32, 5, 5), (23, 5, 5), (27, 5, 5)])
def test_a_share_lies_between_its_bounds(drawn: list[tuple[int, int, int]]) -> None:
    """Whatever was drawn, the share lies within its interval, and that within 0 and 1."""
    strata = [Stratum(jobs, min(judged, jobs), min(hits, judged, jobs)) for jobs, judged, hits in drawn]

    found = estimate_share(strata)

    assert found is not None
    assert 0 <= found.low <= found.share <= found.high <= 1


def test_what_was_judged_whole_is_known() -> None:
    """Where all jobs were judged the share is exact, and so is a ratio."""
    whole = [Stratum(40, 40, 10), Stratum(60, 60, 0)]

    share = estimate_share(whole)
    assert share is not None
    assert (share.share, share.low, share.high) == (0.1, 0.1, 0.1)
    ratio = estimate_ratio([Stratum(40, 40, 30)], [Stratum(60, 60, 10)])
    assert ratio is not None
    assert (ratio.share, ratio.low, ratio.high) == pytest.approx((0.75, 0.75, 0.75))


def test_what_cannot_be_said_is_not_said() -> None:
    """There is no estimate of nothing, nor of strata of which one has none judged; one without jobs is no matter."""
    assert estimate_share([]) is None
    assert estimate_share([Stratum(10, 5, 1), Stratum(10, 0, 0)]) is None
    assert estimate_share([Stratum(10, 5, 1), Stratum(0, 0, 0)]) == estimate_share([Stratum(10, 5, 1)])
    assert estimate_ratio([Stratum(10, 5, 0)], [Stratum(10, 5, 0)]) is None


def test_no_hit_in_the_part_is_a_share_of_none() -> None:
    """Where nothing of what should be rejected is, recall is 0, and its interval begins there."""
    found = estimate_ratio([Stratum(1000, 50, 0)], [Stratum(1000, 50, 25)])

    assert found is not None
    assert (found.share, found.low) == (0.0, 0.0)
    assert 0 < found.high < 0.5


@pytest.mark.parametrize(("jobs", "judged", "hits"), [(1, 2, 0), (5, 2, 3), (5, 2, -1)])
def test_a_stratum_does_not_contradict_itself(jobs: int, judged: int, hits: int) -> None:
    """No more hits than judged, no more judged than there are."""
    with pytest.raises(ValueError, match="a stratum has no more"):
        Stratum(jobs, judged, hits)
