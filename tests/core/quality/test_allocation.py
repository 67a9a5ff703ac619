"""Allocation: every stratum its least, the rest where it belongs, and the sum as asked."""

from hypothesis import given
from hypothesis import strategies as st

from core.quality.allocation import allocate, allocate_for_decisions

sizes = st.dictionaries(st.tuples(st.booleans(), st.sampled_from("abcdef")), st.integers(1, 5_000), min_size=1)


@given(sizes, st.integers(1, 2_000), st.integers(0, 40), st.booleans())
def test_the_sum_is_as_asked(jobs: dict[tuple[bool, str], int], size: int, at_least: int, narrowest: bool) -> None:
    """No stratum gets more than it has nor less than its least, and all get as many as asked, where there are."""
    if narrowest:
        given_ = allocate_for_decisions(jobs, 0, size, at_least=at_least)
    else:
        given_ = allocate(jobs, size, at_least=at_least)

    least = {stratum: min(at_least, number) for stratum, number in jobs.items()}
    assert given_.keys() == jobs.keys()
    assert all(least[stratum] <= given_[stratum] <= jobs[stratum] for stratum in jobs)
    assert sum(given_.values()) == max(min(size, sum(jobs.values())), sum(least.values()))


def test_the_rest_goes_in_proportion() -> None:
    """Beyond their least, strata get what their jobs are of all."""
    assert allocate({("a",): 900, ("b",): 100}, 100, at_least=0) == {("a",): 90, ("b",): 10}
    assert allocate({("a",): 900, ("b",): 100}, 100, at_least=20) == {("a",): 74, ("b",): 26}


def test_rejections_are_looked_at_more_where_that_narrows_the_answer() -> None:
    """What is wrong of rejections varies more, so a rejected job weighs about twice a passed one."""
    assert allocate_for_decisions({(True,): 1000, (False,): 1000}, 0, 100, at_least=0) == {(True,): 68, (False,): 32}
