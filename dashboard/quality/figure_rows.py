"""The figures of a sample, each with its interval, what would narrow it, and the way to its jobs."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st
from sqlalchemy import Row

from core.jobs.strata import Stratification
from core.quality.answers import Answer, Group
from core.quality.figures import Figure, compare
from core.quality.sentences import (
    STRATIFICATION_WORDS,
    list_figures,
    list_flag_figures,
    name_group,
    say_change,
    say_corrected,
    say_errors,
    say_interval,
    say_more,
    say_share,
    say_what_is_open,
)
from dashboard.quality.jobs_link import show_jobs_link
from dashboard.widgets.table import ROW_HEIGHT, fit_height

# Groups that are shown with the way to their jobs; the table has all of them.
LINKED = 8

MEANINGS = {
    "Rejections that are wrong": "Of all rejections, the share that reviewers would have passed.",
    "Passes that should have been rejected": "Of all passes, the share that reviewers would have rejected.",
    "Precision of rejection": "Of all rejections, the share that is right.",
    "Recall of rejection": "Of all jobs that should be rejected, the share that is.",
}


def show_figures(sample: Row[Any], answer: Answer, before: Answer | None) -> None:
    """Show the figures of rejection, then those of each category's flag."""
    st.header("Rejection")
    if answer.judged:
        st.caption(say_errors(answer.errors))
    _show_cards(sample, list_figures(answer), [] if before is None else list_figures(before))
    st.header("Flags")
    st.caption("What the categories should be comes from those that reviewers would set.")
    _show_cards(sample, list_flag_figures(answer), [] if before is None else list_flag_figures(before))


def _show_cards(sample: Row[Any], figures: Sequence[tuple[str, Figure]], before: Sequence[tuple[str, Figure]]) -> None:
    earlier = dict(before)
    with st.grid(2, min_column_width=320):
        for name, figure in figures:
            with st.container(border=True, gap="xsmall"):
                _show_card(sample, name, figure, earlier.get(name))


def _show_card(sample: Row[Any], name: str, figure: Figure, before: Figure | None) -> None:
    st.metric(name, say_share(figure), help=MEANINGS.get(name))
    if figure.bounds is None:
        st.caption(f"This sample does not say: {figure.why_not}.")
    else:
        st.text(f"95% interval: {say_interval(figure)}.")
        if corrected := say_corrected(figure):
            st.text(corrected)
        if what := say_what_is_open(figure):
            st.caption(f"It depends on {what}.")
        if more := say_more(figure):
            st.caption(more)
        if before is not None and before.bounds is not None:
            st.text(f"Against the other sample {say_change(compare(figure.bounds, before.bounds))}.")
    show_jobs_link("Show what is wrong", figure.faults, sample)
    show_jobs_link("Show what is unclear", figure.unclear, sample)


def show_groups(sample: Row[Any], answer: Answer) -> None:
    """Show the share of wrong decisions by what tells jobs apart, and by stratum."""
    st.header("Where decisions are wrong")
    for kind in (Stratification.REASON, Stratification.CLIENT, Stratification.CATEGORY):
        st.subheader(f"By {STRATIFICATION_WORDS[kind]}")
        groups = answer.groups.get(kind)
        if groups is None and kind is Stratification.CLIENT:
            # Whose jobs they are is known of each that is judged, whatever tells the sample's jobs apart.
            st.caption("No job of this sample is judged yet.")
        elif groups is None:
            st.caption(f"This sample does not tell jobs apart by {STRATIFICATION_WORDS[kind]}: draw one that does.")
        else:
            _show_groups(sample, groups, (kind,))
    if len(sample.strata) > 2:
        st.subheader("By all of these")
        _show_groups(sample, answer.strata, sample.strata[1:])


def _show_groups(sample: Row[Any], groups: Sequence[Group], by: Sequence[str]) -> None:
    worst = sorted(groups, key=lambda one: -one.wrong.bounds.low if one.wrong.bounds else 1)
    for group in [one for one in worst if one.wrong.faults or one.wrong.unclear][:LINKED]:
        with st.container(gap=None):
            st.text(name_group(group, by))
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                if group.wrong.bounds is not None:
                    st.caption(f"Wrong: {say_share(group.wrong)} (95%: {say_interval(group.wrong)})", width="content")
                show_jobs_link("Wrong", group.wrong.faults, sample)
                show_jobs_link("Unclear", group.wrong.unclear, sample)
    frame = to_frame(groups, by)
    st.dataframe(
        frame,
        hide_index=True,
        height=fit_height(len(frame)),
        row_height=ROW_HEIGHT,
        key=f"groups_{'_'.join(by)}",
        alt=f"Wrong decisions by {' and '.join(STRATIFICATION_WORDS[Stratification(kind)] for kind in by)}",
    )


def to_frame(groups: Sequence[Group], by: Sequence[str]) -> pd.DataFrame:
    """Tell each group with its jobs and the share of its decisions that is wrong."""
    return pd.DataFrame(
        {
            "Jobs": [name_group(one, by) for one in groups],
            "There are": ["–" if one.jobs is None else f"{one.jobs:,}" for one in groups],
            "Drawn": ["–" if one.drawn is None else f"{one.drawn:,}" for one in groups],
            "Judged": [f"{one.judged:,}" for one in groups],
            "Wrong": [say_share(one.wrong) for one in groups],
            "95% interval": [say_interval(one.wrong) or "–" for one in groups],
            "To halve it": [f"{one.wrong.to_halve:,} more" if one.wrong.to_halve else "–" for one in groups],
        },
        dtype="str",
    )
