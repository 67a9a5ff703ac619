"""Days as people pick them."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from core.errors import InvalidParameter
from core.instants import day_start, print_instant
from core.jobs.filter import DateRange
from dashboard.address.periods import days_range, describe, preset_range, shown_days

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 15, 22, 30, 15, tzinfo=UTC)


def bounds(found: DateRange) -> tuple[str, str]:
    return print_instant(found.start), print_instant(found.end)


def test_april_in_utc_is_the_example_of_the_api_page() -> None:
    """1 to 30 April, the last day included, are the bounds that the API's page gives for April."""
    found = days_range(date(2026, 4, 1), date(2026, 4, 30), ZoneInfo("UTC"))

    assert bounds(found) == ("2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z")


@pytest.mark.parametrize(
    ("zone", "day", "expected"),
    [
        ("Europe/Berlin", date(2026, 3, 29), ("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z")),
        ("Europe/Berlin", date(2026, 10, 25), ("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z")),
        # Clocks jump from 24:00 to 01:00, so the day begins at one o'clock.
        ("America/Santiago", date(2026, 9, 6), ("2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z")),
        ("America/Havana", date(2026, 11, 1), ("2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z")),
        ("Asia/Kathmandu", date(2026, 1, 1), ("2025-12-31T18:15:00Z", "2026-01-01T18:15:00Z")),
    ],
)
def test_a_day_with_a_change_of_the_clocks_has_23_or_25_hours(zone: str, day: date, expected: tuple[str, str]) -> None:
    """A day runs from its own midnight to the next one, however many hours lie between."""
    assert bounds(days_range(day, day, ZoneInfo(zone))) == expected


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("24h", ("2026-03-14T22:31:00Z", "2026-03-15T22:31:00Z")),
        ("7d", ("2026-03-08T23:00:00Z", "2026-03-15T23:00:00Z")),
        ("30d", ("2026-02-13T23:00:00Z", "2026-03-15T23:00:00Z")),
        ("month", ("2026-02-28T23:00:00Z", "2026-03-15T23:00:00Z")),
        ("last-month", ("2026-01-31T23:00:00Z", "2026-02-28T23:00:00Z")),
    ],
)
def test_presets_are_days_of_the_zone(preset: str, expected: tuple[str, str]) -> None:
    """Every name of a recent period includes today in the zone, and today is a whole day."""
    assert bounds(preset_range(preset, BERLIN, NOW)) == expected


@pytest.mark.parametrize(
    ("first", "last", "sentence"),
    [
        (None, date(2026, 1, 1), "Pick the first day too."),
        (date(2026, 1, 1), None, "Pick the last day too."),
        (date(2026, 1, 2), date(2026, 1, 1), "The first day is after the last: swap them."),
        (date(2025, 1, 1), date(2026, 1, 2), "That is more than 366 days: choose fewer."),
        (date(9999, 12, 31), date(9999, 12, 31), "These dates are out of range: choose others."),
    ],
)
def test_days_that_make_no_range_get_a_sentence(first: date | None, last: date | None, sentence: str) -> None:
    """A half-picked, reversed or too long range is refused in plain words."""
    with pytest.raises(InvalidParameter) as refused:
        days_range(first, last, ZoneInfo("UTC"))

    assert str(refused.value) == sentence


def test_366_days_with_an_hour_more_are_refused_for_that_hour() -> None:
    """They are not too many days: the sentence names the clocks."""
    berlin = ZoneInfo("Europe/Berlin")

    with pytest.raises(InvalidParameter, match=r"The clocks go back during these 366 days.* 1 h longer.* a day fewer"):
        days_range(date(2025, 10, 25), date(2026, 10, 25), berlin)

    assert days_range(date(2025, 10, 25), date(2026, 10, 24), berlin)
    with pytest.raises(InvalidParameter, match="That is more than 366 days"):
        days_range(date(2025, 10, 25), date(2026, 10, 26), berlin)


def test_366_days_are_allowed() -> None:
    """366 days are the longest range."""
    found = days_range(date(2025, 1, 1), date(2026, 1, 1), ZoneInfo("UTC"))

    assert (found.end - found.start).days == 366


def test_shown_days_are_those_that_were_picked() -> None:
    """What a range was made of is what the date fields show again."""
    days = date(2026, 3, 28), date(2026, 3, 29)

    assert shown_days(days_range(*days, BERLIN), BERLIN) == days


def test_an_empty_range_shows_its_day() -> None:
    """A range without length shows the day on which it lies."""
    start = day_start(date(2026, 3, 28), BERLIN)

    assert shown_days(DateRange(start, start), BERLIN) == (date(2026, 3, 28), date(2026, 3, 28))


def test_a_range_is_said_in_words_in_both_zones() -> None:
    """The words name both bounds, that the end is not included, and the same in UTC."""
    day = days_range(date(2026, 3, 29), date(2026, 3, 29), BERLIN)

    assert describe(day, BERLIN) == (
        "From Sun 29 Mar 2026, 00:00 up to, not including, Mon 30 Mar 2026, 00:00 (Europe/Berlin). "
        "In UTC: Sat 28 Mar 2026, 23:00 up to, not including, Sun 29 Mar 2026, 22:00."
    )
    assert describe(day, ZoneInfo("UTC")) == (
        "From Sat 28 Mar 2026, 23:00 up to, not including, Sun 29 Mar 2026, 22:00 (UTC)."
    )
