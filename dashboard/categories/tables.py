"""The numbers behind the charts of categories, as tables."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import streamlit as st

from core.counts.outcomes import FLAG_SETS, share
from core.jobs.filter import Category
from dashboard.categories.charts import count_decisions, count_flags, list_rates, name_flags
from dashboard.categories.days import ShownDay
from dashboard.widgets.table import ROW_HEIGHT, fit_height

Cell = str | int | float | None

# What a column of shares is called ends like this; its cells are between 0 and 1 and shown as percentages.
SHARE = "share"


def show_table(frame: pd.DataFrame, *, key: str, alt: str) -> None:
    """Show a table of numbers; shares as percentages."""
    percent = st.column_config.NumberColumn
    st.dataframe(
        frame,
        hide_index=True,
        height=fit_height(len(frame)),
        row_height=ROW_HEIGHT,
        column_config={name: percent(format="percent") for name in frame.columns if name.endswith(SHARE)},
        key=key,
        alt=alt,
    )


def frame_decisions(days: Sequence[ShownDay]) -> pd.DataFrame:
    """Tell the decisions of each day."""
    return _frame(days, lambda day: {"Jobs": day.sums.jobs, **count_decisions(day)})


def frame_flags(days: Sequence[ShownDay]) -> pd.DataFrame:
    """Tell the flagged jobs of each day, none twice."""
    return _frame(days, lambda day: {"Flagged jobs": day.sums.any_flagged, **count_flags(day)})


def frame_rates(days: Sequence[ShownDay]) -> pd.DataFrame:
    """Tell each rate of each day with what it is a share of."""

    def cells(day: ShownDay) -> dict[str, Cell]:
        rates = list_rates(day)
        found: dict[str, Cell] = {f"{what}, {SHARE}": share(part, whole) for what, part, whole in rates}
        found |= {f"{what}, jobs": part for what, part, _ in rates}
        return found | {"Decided jobs": day.sums.decided, "Jobs with a log": day.sums.evaluated}

    return _frame(days, cells)


def frame_together(together: Mapping[frozenset[Category], int]) -> pd.DataFrame:
    """Tell how many jobs bear exactly these flags."""
    whole = sum(together.values())
    return pd.DataFrame(
        {
            "Flags": [name_flags(flags) for flags in FLAG_SETS],
            "Jobs": [together[flags] for flags in FLAG_SETS],
            f"Of all flagged, {SHARE}": [share(together[flags], whole) for flags in FLAG_SETS],
        }
    )


def frame_coverage(days: Sequence[ShownDay]) -> pd.DataFrame:
    """Tell how many decided jobs of each day have a log."""

    def cells(day: ShownDay) -> dict[str, Cell]:
        without = day.coverage.decided - day.coverage.with_log
        return {
            "Decided jobs": day.coverage.decided,
            "Log recorded": day.coverage.with_log,
            "Log missing": without,
            f"Log missing, {SHARE}": share(without, day.coverage.decided),
        }

    return _frame(days, cells)


def _frame(days: Sequence[ShownDay], cells: Callable[[ShownDay], Mapping[str, Cell]]) -> pd.DataFrame:
    """Return a row a day, the newest first."""
    return pd.DataFrame(
        [
            {"Day": f"{day.day:%Y-%m-%d}", "Counted": "part of it" if day.is_partial else "whole", **cells(day)}
            for day in reversed(days)
        ]
    )
