"""The charts of categories per day, in Vega-Lite: what is drawn, and nothing of how it is counted.

Streamlit evaluates Vega's expressions by its interpreter, so they need no `unsafe-eval`; a test in Chromium holds that.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from core.counts.outcomes import FLAG_SETS, share
from core.jobs.filter import Category
from core.jobs.filter_sentence import CATEGORY_NAMES
from dashboard.categories.chart_styles import (
    BLUE,
    DRAWN,
    GREEN,
    GREY,
    PURPLE,
    TEXT,
    VERMILLION,
    Style,
    style_bars,
    style_lines,
)
from dashboard.categories.days import ShownDay

# More days than these are drawn without gaps, outlines and marks, which would hide them.
FEW_DAYS = 62

HEIGHT = 320

DECISION_STYLES = {
    "Rejected": Style(VERMILLION),
    "Undecided": Style(GREY, fullness=0.05),
    "Passed": Style(BLUE, fullness=0.35),
}

SEVERAL = "Several categories"
FLAG_STYLES = {
    f"{CATEGORY_NAMES[Category.AI_ADULT_GENERAL]} only": Style(BLUE),
    f"{CATEGORY_NAMES[Category.UNDERAGE]} only": Style(VERMILLION, fullness=0.55),
    f"{CATEGORY_NAMES[Category.NSFW]} only": Style(GREEN, fullness=0.25),
    SEVERAL: Style(PURPLE, fullness=0.05),
}

REJECTED = "Rejected"
RATE_STYLES = {
    REJECTED: Style(GREY, shape="square"),
    CATEGORY_NAMES[Category.AI_ADULT_GENERAL]: Style(BLUE, dash=(8, 3), shape="circle"),
    CATEGORY_NAMES[Category.UNDERAGE]: Style(VERMILLION, dash=(2, 2), shape="triangle-up"),
    CATEGORY_NAMES[Category.NSFW]: Style(GREEN, dash=(8, 3, 2, 3), shape="diamond"),
}

ORDINARY, UNUSUAL = "Ordinary day", "Many more than usual"
COVERAGE_STYLES = {ORDINARY: Style(BLUE, fullness=0.35), UNUSUAL: Style(VERMILLION)}


def chart_decisions(days: Sequence[ShownDay]) -> dict[str, Any]:
    """Draw the jobs of each day by their decision, one upon the other."""
    return _stacked(days, DECISION_STYLES, count_decisions, "Jobs")


def chart_flags(days: Sequence[ShownDay]) -> dict[str, Any]:
    """Draw the flagged jobs of each day, one upon the other and none twice."""
    return _stacked(days, FLAG_STYLES, count_flags, "Flagged jobs")


def chart_rates(days: Sequence[ShownDay]) -> dict[str, Any]:
    """Draw the share of rejected jobs in the decided ones, and of each category in those with a log."""
    with_marks = len(days) <= FEW_DAYS
    values = [
        {"day": day.label, "what": what, "rate": rate, "of": f"{part:,} of {whole:,}"}
        for day in days
        for what, part, whole in list_rates(day)
        if (rate := share(part, whole)) is not None
    ]
    encoding = {
        "x": day_axis(days),
        "y": {
            "field": "rate",
            "type": "quantitative",
            "title": None,
            "axis": {"format": ".0%"},
            "scale": {"zero": True},
        },
        "tooltip": [
            {"field": "day", "title": "Day"},
            {"field": "what", "title": "Rate"},
            {"field": "rate", "type": "quantitative", "format": ".1%", "title": "Share"},
            {"field": "of", "title": "Jobs"},
        ],
        **style_lines("what", RATE_STYLES, with_marks=with_marks),
    }
    mark = {"type": "line", "strokeWidth": 2, "point": {"size": 45, "filled": True} if with_marks else False}
    return {"data": {"values": values}, "height": HEIGHT, "mark": mark, "encoding": encoding, **DRAWN}


def list_rates(day: ShownDay) -> list[tuple[str, int, int]]:
    """List what the chart of rates shows of a day: the name, so many jobs, of so many."""
    sums = day.sums
    of_logs = [(CATEGORY_NAMES[category], sums.flagged[category], sums.evaluated) for category in Category]
    return [(REJECTED, sums.rejected, sums.decided), *of_logs]


def chart_together(together: Mapping[frozenset[Category], int]) -> dict[str, Any]:
    """Draw how many jobs bear exactly these flags, with the numbers at the bars."""
    whole = sum(together.values())
    values = [
        {
            "flags": name_flags(flags),
            "jobs": together[flags],
            "label": f"{together[flags]:,} ({print_share(together[flags], whole)})",
        }
        for flags in FLAG_SETS
    ]
    # Room for the number beside the longest bar.
    longest = max(together.values()) * 1.8 or 1
    return {
        "data": {"values": values},
        "height": {"step": 30},
        **DRAWN,
        "encoding": {
            "y": {
                "field": "flags",
                "type": "nominal",
                "sort": None,
                "title": None,
                "axis": {"labelLimit": 220, "ticks": False, "domain": False},
            },
            "x": {
                "field": "jobs",
                "type": "quantitative",
                "title": None,
                "axis": None,
                "scale": {"domain": [0, longest]},
            },
            "tooltip": [{"field": "flags", "title": "Flags"}, {"field": "label", "title": "Jobs"}],
        },
        "layer": [
            {"mark": {"type": "bar", "fill": BLUE, "size": 18}},
            {
                "mark": {"type": "text", "align": "left", "dx": 5, "fontSize": 13, "color": TEXT},
                "encoding": {"text": {"field": "label"}},
            },
        ],
    }


def chart_coverage(days: Sequence[ShownDay], drops: Iterable[ShownDay]) -> dict[str, Any]:
    """Draw the share of decided jobs that have no log; days on which it is high stand out."""
    dropped = list(drops)
    values = [
        {
            "day": day.label,
            "without": 1 - covered,
            "what": UNUSUAL if day in dropped else ORDINARY,
            "of": f"{day.coverage.decided - day.coverage.with_log:,} of {day.coverage.decided:,}",
        }
        for day in days
        if (covered := day.coverage.share) is not None
    ]
    tooltip = [
        {"field": "day", "title": "Day"},
        {"field": "without", "type": "quantitative", "format": ".1%", "title": "Log missing"},
        {"field": "of", "title": "Decided jobs"},
    ]
    encoding = {
        "x": day_axis(days),
        "y": {"field": "without", "type": "quantitative", "title": None, "axis": {"format": ".0%"}},
        "tooltip": tooltip,
        **style_bars("what", COVERAGE_STYLES),
    }
    if not dropped:
        # There is but one kind of days, which needs no name.
        encoding["fill"]["legend"] = encoding["stroke"]["legend"] = None
    return _bars(days, values, encoding)


def name_flags(flags: frozenset[Category]) -> str:
    """Name flags that come together in a few words."""
    names = [CATEGORY_NAMES[category] for category in Category if category in flags]
    if len(names) == 1:
        return f"{names[0]} only"
    return "All three" if len(names) == len(Category) else " + ".join(names)


def print_share(part: int, whole: int) -> str:
    """Print a share as a percentage with one digit; a dash where there is no whole."""
    found = share(part, whole)
    return "–" if found is None else f"{found:.1%}"


def count_decisions(day: ShownDay) -> dict[str, int]:
    """Count a day's jobs by the names of `DECISION_STYLES`."""
    return {"Rejected": day.sums.rejected, "Undecided": day.sums.undecided, "Passed": day.sums.passed}


def count_flags(day: ShownDay) -> dict[str, int]:
    """Count a day's flagged jobs, none twice, by the names of `FLAG_STYLES`."""
    single = {name_flags(flags): total for flags, total in day.together.items() if len(flags) == 1}
    return single | {SEVERAL: sum(total for flags, total in day.together.items() if len(flags) > 1)}


def _stacked(
    days: Sequence[ShownDay], styles: Mapping[str, Style], count: Callable[[ShownDay], Mapping[str, int]], title: str
) -> dict[str, Any]:
    values = [
        {"day": day.label, "what": what, "place": place, "jobs": counted[what]}
        for day in days
        for counted in [count(day)]
        for place, what in enumerate(styles)
    ]
    encoding = {
        "x": day_axis(days),
        "y": {"field": "jobs", "type": "quantitative", "title": None, "axis": {"tickMinStep": 1}},
        "order": {"field": "place"},
        "tooltip": [
            {"field": "day", "title": "Day"},
            {"field": "what", "title": "What"},
            {"field": "jobs", "type": "quantitative", "format": ",", "title": title},
        ],
        **style_bars("what", styles),
    }
    return _bars(days, values, encoding)


def _bars(days: Sequence[ShownDay], values: list[dict[str, Any]], encoding: Mapping[str, Any]) -> dict[str, Any]:
    """Draw bars; days that are not covered as a whole have dashed outlines, and the word "part" above them."""
    partial = {day.label for day in days if day.is_partial}
    for value in values:
        value["part"] = value["day"] in partial
    outline = 1 if len(days) <= FEW_DAYS else 0.3
    dash = {"condition": {"test": "datum.part", "value": [3, 2]}, "value": [1, 0]}
    bars = {"mark": {"type": "bar", "strokeWidth": outline}, "encoding": {**encoding, "strokeDash": dash}}
    note = {
        "data": {"values": [{"day": label} for label in partial]},
        "mark": {"type": "text", "text": "part", "fontSize": 12, "fontStyle": "italic", "color": TEXT},
        "encoding": {"x": day_axis(days), "y": {"value": -8}},
    }
    return {"data": {"values": values}, "height": HEIGHT, "layer": [bars, note], **DRAWN}


def day_axis(days: Sequence[ShownDay]) -> dict[str, Any]:
    """Return the axis of days, with as many names as can be read."""
    labels = [day.label for day in days]
    step = max(1, -(-len(labels) // 10))
    axis = {"values": labels[::-1][::step], "labelAngle": 0, "labelOverlap": "parity", "labelSeparation": 6}
    scale = {"domain": labels, "paddingInner": 0.2 if len(days) <= FEW_DAYS else 0}
    return {"field": "day", "type": "ordinal", "sort": None, "title": None, "axis": axis, "scale": scale}
