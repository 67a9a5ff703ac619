"""Slices by time: what was copied decides how long the next ones are."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from core.export.time_slices import GROWTH, SHORTEST, SLICE_SECONDS, SLICE_SIZE, First, TimeSlices
from core.jobs.filter import DateRange

START = datetime(2026, 4, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
APRIL = DateRange(START, START + timedelta(days=30))

firsts = st.none() | st.builds(
    First,
    begins_at=st.timedeltas(timedelta(), timedelta(days=30)).map(lambda after: START + after),
    length=st.timedeltas(timedelta(), timedelta(days=20)),
)


@given(
    days=st.sampled_from([timedelta(), timedelta(microseconds=1), timedelta(seconds=1), timedelta(days=30)]),
    first=firsts,
    learnt=st.lists(st.tuples(st.integers(0, 10**9), st.floats(0, 100)), max_size=30),
)
def test_slices_follow_each_other_and_leave_nothing_out(
    days: timedelta, first: First | None, learnt: list[tuple[int, float]]
) -> None:
    """Whatever is learnt on the way, they begin where the one before ended, and end at the end of the range."""
    bounds = DateRange(START, START + days)
    slices = TimeSlices(bounds, first)
    at, number = START, 0

    while (part := slices.cut()) is not None and number < len(learnt):
        assert part.start == at
        assert part.end > at or bounds.start == bounds.end
        assert slices.has_more is (part.end < bounds.end)
        at = part.end
        slices.learn(part, *learnt[number])
        number += 1

    if part is None:
        assert at == bounds.end
        assert number >= 1


def test_without_first_jobs_all_is_one_slice() -> None:
    """Where nothing is known of the jobs there is nothing to share out."""
    slices = TimeSlices(APRIL, None)

    assert (slices.cut(), slices.cut()) == (APRIL, None)


def test_the_first_slice_ends_where_the_first_jobs_do() -> None:
    """What lies empty before the first jobs belongs to it, and says nothing about how long others should be."""
    slices = TimeSlices(APRIL, First(START + 20 * 24 * HOUR, HOUR))

    first = slices.cut()
    assert first == DateRange(START, START + 20 * 24 * HOUR + HOUR)
    slices.learn(first, SLICE_SIZE // 2, 0.1)

    second = slices.cut()
    assert second is not None
    assert second.end - second.start == 2 * HOUR


def length_after(size: int, seconds: float) -> timedelta:
    """Return how long a slice is after one of an hour that had so many bytes and took so many seconds."""
    slices = TimeSlices(APRIL, First(START, HOUR))
    part = slices.cut()
    assert part is not None
    slices.learn(part, size, seconds)
    following = slices.cut()
    assert following is not None
    return following.end - following.start


def test_slices_come_to_their_size() -> None:
    """Twice the bytes make half the time; none at all, or few, make it longer, but not at once."""
    assert length_after(2 * SLICE_SIZE, 0.1) == HOUR / 2
    assert length_after(SLICE_SIZE // 100, 0.1) == GROWTH * HOUR
    assert length_after(0, 0) == GROWTH * HOUR
    assert length_after(10**15, 0.1) == SHORTEST


def test_slices_that_take_long_become_shorter() -> None:
    """Where hardly any of the jobs that are read come out, the work is shared out all the same."""
    assert length_after(0, 4 * SLICE_SECONDS) == HOUR / 4
