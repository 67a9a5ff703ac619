"""The charts of categories: readable in both themes and without colours, and told in sentences."""

import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.counts.outcomes import Combination
from core.jobs.filter import Category, DateRange
from dashboard.categories import charts, sentences
from dashboard.categories.chart_styles import Style
from dashboard.categories.charts import COVERAGE_STYLES, DECISION_STYLES, FLAG_STYLES, RATE_STYLES
from dashboard.categories.days import ShownDay, list_days
from dashboard.categories.figures import Figures, add_up
from dashboard.categories.reason_chart import PICKED, chart_reasons, find_picked
from tests.conftest import ROOT
from tests.support.documents import april

BERLIN = ZoneInfo("Europe/Berlin")
UTC_ZONE = ZoneInfo("UTC")
MAY = datetime(2026, 5, 20, tzinfo=UTC)
NO_CELLS = dict.fromkeys(Category, None)


def cells(*flags: Category) -> Mapping[Category, bool]:
    return {category: category in flags for category in Category}


def figures(*, now: datetime = MAY) -> Figures:
    """Three days in April: an ordinary one, an empty one, and one on which half of the logs are missing."""
    ordinary = [
        Combination(True, True, cells(Category.UNDERAGE, Category.NSFW), 30),
        Combination(True, True, cells(), 10),
        Combination(False, True, cells(Category.NSFW), 20),
        Combination(False, True, cells(), 340),
        Combination(None, False, NO_CELLS, 5),
    ]
    missing = [Combination(False, True, cells(), 100), Combination(False, False, NO_CELLS, 100)]
    counted = {date(2026, 4, 1): ordinary, date(2026, 4, 2): list[Combination](), date(2026, 4, 3): missing}
    return add_up(counted | {date(2026, 4, 4): ordinary}, april(), UTC_ZONE, now)


def luminance(colour: str) -> float:
    """The relative luminance of WCAG 2.2."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("styles", [DECISION_STYLES, FLAG_STYLES, RATE_STYLES, COVERAGE_STYLES])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_colour_stands_out_from_both_backgrounds(styles: Mapping[str, Style], theme: str) -> None:
    """Lines and outlines have a contrast of 3:1 to the page, as WCAG 2.2 (1.4.11) asks."""
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    background = luminance(config["theme"][theme]["backgroundColor"])

    for style in styles.values():
        lighter, darker = sorted((luminance(style.colour), background), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 3, style


@pytest.mark.parametrize("styles", [DECISION_STYLES, FLAG_STYLES, COVERAGE_STYLES])
def test_bars_differ_without_colour(styles: Mapping[str, Style]) -> None:
    """Each bar of a chart is as full as no other one."""
    assert len({style.fullness for style in styles.values()}) == len(styles)


def test_lines_differ_without_colour() -> None:
    """Each line has dashes and marks of its own."""
    assert len({style.dash for style in RATE_STYLES.values()}) == len(RATE_STYLES)
    assert len({style.shape for style in RATE_STYLES.values()}) == len(RATE_STYLES)


def test_stacked_bars_count_no_job_twice() -> None:
    """What lies upon each other adds up to the jobs, and to the flagged jobs, of a day."""
    days = figures().days

    for chart, expected in (
        (charts.chart_decisions, [405, 0, 200, 405]),
        (charts.chart_flags, [50, 0, 0, 50]),
    ):
        values = chart(days)["data"]["values"]
        stacked = [sum(value["jobs"] for value in values if value["day"] == day.label) for day in days]
        assert stacked == expected


def test_a_day_without_jobs_has_no_rate() -> None:
    """A share of nothing is a gap in the line, not zero."""
    values = charts.chart_rates(figures().days)["data"]["values"]

    assert {value["day"] for value in values} == {"1 Apr", "3 Apr", "4 Apr"}
    assert [(value["what"], value["rate"], value["of"]) for value in values if value["day"] == "1 Apr"] == [
        ("Rejected", 0.1, "40 of 400"),
        ("AI adult content", 0.0, "0 of 400"),
        ("Underage", 0.075, "30 of 400"),
        ("NSFW", 0.125, "50 of 400"),
    ]


def shown_days(start: datetime, end: datetime, now: datetime, zone: ZoneInfo = BERLIN) -> list[ShownDay]:
    first, last = start.astimezone(zone).date(), (end - timedelta(microseconds=1)).astimezone(zone).date()
    counted = {first + timedelta(days=number): list[Combination]() for number in range((last - first).days + 1)}
    return list_days(counted, DateRange(start, end), zone, now)


def test_days_that_are_not_covered_as_a_whole_are_marked() -> None:
    """The range's edges within a day, and the day that is not over."""
    start, end = datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 31, 22, tzinfo=UTC)

    over = shown_days(start, end, MAY)
    running = shown_days(start, end, datetime(2026, 3, 31, 9, tzinfo=UTC))

    assert [day.is_partial for day in over] == [True, False, False, False]
    assert [day.is_partial for day in running] == [True, False, False, True]
    assert sentences.say_partial(over[1:]) is None
    assert sentences.say_partial(over) == (
        "28 Mar 2026 is only partly counted, because it is not over yet or partly outside the period: marked “part”."
    )


def test_days_of_a_year_have_names_of_their_own() -> None:
    """The same day of two years is two places in a chart."""
    start = datetime(2026, 3, 28, 12, tzinfo=UTC)

    days = shown_days(start, start + timedelta(days=366), MAY)

    assert len({day.label for day in days}) == len(days) == 367


def test_each_chart_is_told_in_a_sentence() -> None:
    """Who does not see a chart reads the total, the rate and the highest day."""
    found = figures()

    assert sentences.say_decisions(found.days, found.sums) == (
        "1,010 jobs in 4 days: 80 rejected, 920 passed, 10 undecided. Most were rejected on 1 Apr 2026: 40."
    )
    assert sentences.say_flags(found.days, found.sums) == ("100 jobs with a flag. Most were flagged on 1 Apr 2026: 50.")
    assert sentences.say_rates(found.days, found.sums) == (
        "Over the whole period, 8.0% of the decided jobs are rejected; 0.0% of those with a log are AI adult content; "
        "6.7% of those with a log are Underage; 11.1% of those with a log are NSFW. The rate of rejection is highest "
        "on 1 Apr 2026: 10.0%, 40 of 400."
    )
    assert sentences.say_together(found.sums, found.together) == (
        "Of 100 flagged jobs, 60 have several flags. Underage comes most often with NSFW: 60 of 60 (100.0%). "
        "NSFW comes most often with Underage: 60 of 100 (60.0%)."
    )
    assert sentences.say_coverage(found.days, found.coverage) == (
        "100 of 1,000 decided jobs have no log (10.0%). The share is highest on 3 Apr 2026: 50.0%, 100 of 200."
    )


def test_missing_logs_are_warned_of() -> None:
    """The warning names the ordinary share and the days on which there were fewer."""
    found = figures()

    assert [day.label for day in found.drops] == ["3 Apr"]
    assert found.usual is not None
    assert sentences.say_drops(found.usual, found.drops) == (
        "Logs are missing: usually 100.0% of the decided jobs of a day have a log, but fewer on 3 Apr 2026 (50.0%). "
        "What was decided without a log cannot be checked by category."
    )


def test_no_expression_of_a_chart_comes_from_outside() -> None:
    """Nothing that Vega would evaluate is built from data."""
    found = figures()
    specs = [
        charts.chart_decisions(found.days),
        charts.chart_coverage(found.days, found.drops),
        charts.chart_rates(found.days),
        charts.chart_together(found.together),
    ]

    assert set(re.findall(r"'(?:test|expr|calculate|filter|labelExpr)': '([^']*)'", repr(specs))) == {"datum.part"}


def test_a_mark_says_which_jobs_it_stands_for() -> None:
    """What a click on a mark picks is its reason and its day; whatever else a browser says picks nothing."""
    shown = figures().days
    counted = {"one rule": {shown[0].day: 2}, "another rule": {shown[0].day: 1, shown[2].day: 3}}
    spec = chart_reasons(shown, counted)
    fields = spec["params"][0]["select"]["fields"]

    picked = [
        find_picked({PICKED: [{name: mark[name] for name in fields}]}, counted) for mark in spec["data"]["values"]
    ]

    assert picked == [(reason, day) for reason, by_day in counted.items() for day in by_day]
    hostile: list[Mapping[str, Any]] = [{}, {PICKED: [{"of": "2026-04-01"}]}, {PICKED: [{"of": "never", "place": 0}]}]
    hostile += [{PICKED: [{"of": "2026-04-01", "place": place}]} for place in (2, "all", None)]
    assert [find_picked(said, counted) for said in hostile] == [None] * len(hostile)
