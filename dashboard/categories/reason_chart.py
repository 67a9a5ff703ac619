"""The chart of the commonest reasons by day: a row for each, and on each day a mark as large as its number of jobs.

Ten lines in one chart could not be told apart, by their colours least of all.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pandas as pd

from dashboard.categories.chart_styles import BLUE, DRAWN, TEXT
from dashboard.categories.charts import day_axis
from dashboard.categories.days import ShownDay

# Characters of a reason beside its row.
SHORT = 40

ABOVE = {"orient": "top", "direction": "horizontal", "tickCount": 3}

PICKED = "picked"

# Pixels of a row, and of the largest mark's area.
ROW, LARGEST = 34, 700


def chart_reasons(days: Sequence[ShownDay], counted: Mapping[str, Mapping[date, int]]) -> dict[str, Any]:
    """Draw how many jobs had each reason on each day."""
    names = name_reasons(list(counted))
    values = [
        {"day": day.label, "reason": names[reason], "jobs": jobs, "of": day.day.isoformat(), "place": place}
        for place, (reason, by_day) in enumerate(counted.items())
        for day in days
        if (jobs := by_day.get(day.day, 0))
    ]
    axis = {"labelLimit": 230, "ticks": False, "domain": False, "grid": True}
    return {
        "data": {"values": values},
        "height": {"step": ROW},
        "mark": {"type": "circle", "fill": BLUE, "opacity": 0.75, "cursor": "pointer"},
        # What a click picks, for `find_picked`.
        "params": [{"name": PICKED, "select": {"type": "point", "fields": ["of", "place"], "toggle": False}}],
        "encoding": {
            "x": day_axis(days),
            "y": {
                "field": "reason",
                "type": "nominal",
                "title": None,
                "axis": axis,
                "scale": {"domain": list(names.values())},
            },
            "size": {
                "field": "jobs",
                "type": "quantitative",
                "scale": {"rangeMax": LARGEST, "rangeMin": 0, "domainMin": 0},
                "legend": {"title": "Jobs per day", "titleColor": TEXT, **ABOVE},
            },
            "tooltip": [
                {"field": "day", "title": "Day"},
                {"field": "reason", "title": "Reason"},
                {"field": "jobs", "type": "quantitative", "format": ",", "title": "Jobs"},
            ],
        },
        **DRAWN,
    }


def find_picked(selected: Mapping[str, Any], counted: Mapping[str, Mapping[date, int]]) -> tuple[str, date] | None:
    """Return reason and day of the mark that somebody has clicked; None where a browser says anything else."""
    for one in selected.get(PICKED) or []:
        try:
            reason, day = list(counted)[int(one["place"])], date.fromisoformat(one["of"])
        except (KeyError, TypeError, ValueError, IndexError):
            continue
        return reason, day
    return None


def say_reasons(days: Sequence[ShownDay], counted: Mapping[str, Mapping[date, int]]) -> str:
    """Say which reason was given most on one day."""
    found = [(jobs, reason, day) for reason, by_day in counted.items() for day, jobs in by_day.items() if jobs]
    if not found:
        return "No job has any of these reasons."
    jobs, reason, most = max(found, key=lambda each: each[0])
    label = next((day.label for day in days if day.day == most), str(most))
    return f"Highest for one reason on one day: {jobs:,} on {label}, “{shorten(reason)}”."


def frame_reasons(days: Sequence[ShownDay], counted: Mapping[str, Mapping[date, int]]) -> pd.DataFrame:
    """Tell the number of jobs of each reason on each day, the newest day first."""
    return pd.DataFrame(
        [
            {"Day": f"{day.day:%Y-%m-%d}", **{reason: by_day.get(day.day, 0) for reason, by_day in counted.items()}}
            for day in reversed(days)
        ]
    )


def name_reasons(reasons: Sequence[str]) -> dict[str, str]:
    """Shorten reasons to what stands beside a row; two that begin alike are told apart by a number."""
    names: dict[str, str] = {}
    for reason in reasons:
        name, number = shorten(reason), 2
        while name in names.values():
            name, number = f"{shorten(reason)} ({number})", number + 1
        names[reason] = name
    return names


def shorten(reason: str) -> str:
    """Return the beginning of a reason in one line."""
    line = " ".join(reason.split())
    return line if len(line) <= SHORT else line[: SHORT - 1] + "…"
