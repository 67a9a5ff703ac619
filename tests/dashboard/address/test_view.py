"""The address is the filter, both ways."""

from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidParameter
from core.jobs.filter import DateRange, Decision, JobFilter
from core.jobs.query import PageKey
from dashboard.address.periods import PRESETS, preset_range
from dashboard.address.view import PAGE_SIZES, View, default_view, parse_view

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 15, 22, 30, 15, tzinfo=UTC)

instants = st.datetimes(datetime(2020, 1, 1), datetime(2021, 1, 1), timezones=st.just(UTC))


@st.composite
def views(draw: st.DrawFn) -> View:
    """Any view that a page can come to."""
    preset = draw(st.none() | st.sampled_from(list(PRESETS)))
    zone = draw(st.none() | st.sampled_from(["UTC", "Asia/Kathmandu", "America/Santiago"]))
    bounds = sorted([draw(instants), draw(instants)])
    span = DateRange(*bounds) if preset is None else preset_range(preset, ZoneInfo(zone) if zone else BERLIN, NOW)
    decisions = draw(st.sets(st.sampled_from(Decision), max_size=2))
    job_filter = JobFilter(
        range=span,
        decision=tuple(decision for decision in Decision if decision in decisions),
        q=draw(st.none() | st.sampled_from(["a", "100 %", "x&y=z", "+"])),
    )
    after = draw(st.none() | st.builds(PageKey, instants, st.uuids()))
    return View(job_filter, preset, zone, after, draw(st.sampled_from(PAGE_SIZES)))


@given(views())
def test_a_view_printed_and_parsed_is_the_same_view(view: View) -> None:
    """Whatever a page shows can be sent to a colleague."""
    assert parse_view(view.to_params().items(), BERLIN, NOW) == view


def test_an_address_without_parameters_is_the_default_view() -> None:
    """What was rejected in the last 7 days, in the browser's zone."""
    view = parse_view([], BERLIN, NOW)

    assert view == default_view(BERLIN, NOW)
    assert view.to_params() == {"range": "7d", "decision": "reject"}


def test_a_filter_without_a_range_is_of_the_last_7_days() -> None:
    """An address that names no range means the default one, and only the filters that it names."""
    view = parse_view([("decision", "pass")], BERLIN, NOW)

    assert view.to_params() == {"range": "7d", "decision": "pass"}


def test_the_place_in_the_list_is_exact_to_the_microsecond() -> None:
    """A page is found again even where jobs lie a microsecond apart."""
    key = PageKey(datetime(2026, 3, 1, 0, 0, 0, 1, tzinfo=UTC), UUID(int=7))

    params = View(JobFilter(range=preset_range("7d", BERLIN, NOW)), "7d", after=key).to_params()

    assert params["after"] == "2026-03-01T00:00:00.000001Z_00000000-0000-0000-0000-000000000007"
    assert parse_view(params.items(), BERLIN, NOW).after == key


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ([("range", "7d"), ("range", "7d")], "range is given more than once: give it once."),
        ([("range", "1y")], "range does not know this period: use 24h, 7d, 30d, month, last-month."),
        (
            [("range", "7d"), ("from", "2026-01-01T00:00:00Z")],
            "range stands in place of from and to: leave out one or the other.",
        ),
        ([("tz", "Berlin")], "tz is not a time zone like Europe/Berlin."),
        ([("tz", "../etc/passwd")], "tz is not a time zone like Europe/Berlin."),
        ([("size", "1000000")], "size takes 25, 50, 100, 200."),
        ([("after", "yesterday")], "after is not a place in the list: go back to the first page."),
        ([("x", "1")], '"x" is not a parameter of this page: remove it from the address.'),
        ([("range", "7d"), ("status", "lost")], None),
    ],
)
def test_a_wrong_address_is_refused(params: list[tuple[str, str]], sentence: str | None) -> None:
    """Anything that an address cannot mean is an error with a sentence, never ignored."""
    with pytest.raises(InvalidParameter) as refused:
        parse_view(params, BERLIN, NOW)

    assert sentence is None or str(refused.value) == sentence
