"""What the page of categories shows of its figures, from top to bottom."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from core.counts.disagreements import Disagreement, Suspects
from dashboard.categories import charts, sentences, tables
from dashboard.categories.charts import FEW_DAYS, print_share
from dashboard.categories.figures import Figures

# What each disagreement is called, and of which jobs it is a share.
DISAGREEMENT_WORDS = {
    Disagreement.REJECTED_WITHOUT_CAUSE: ("Rejected without category or reason", "rejected jobs"),
    Disagreement.PASSED_ALTHOUGH_FLAGGED: ("Passed although flagged", "passed jobs with a log"),
    Disagreement.DECIDED_WITHOUT_LOG: ("Decided without a log", "decided jobs"),
}


def show_totals(figures: Figures) -> None:
    """Show the sums of the period, and warn where logs are missing."""
    sums = figures.sums
    with st.container(horizontal=True):
        _show_total("Jobs", sums.jobs, f"{sums.undecided:,} undecided")
        _show_total("Rejected", sums.rejected, f"{print_share(sums.rejected, sums.decided)} of those decided")
        _show_total("Flagged", sums.any_flagged, f"{print_share(sums.any_flagged, sums.evaluated)} of those with a log")
        covered = print_share(sums.evaluated, sums.jobs)
        _show_total("Log recorded", sums.evaluated, f"{covered} of all")
    if figures.usual is not None and figures.drops:
        st.warning(sentences.say_drops(figures.usual, figures.drops), icon=":material/trending_down:")


def show_disagreements(figures: Figures, zone: str | None) -> None:
    """Show how many jobs deserve a second look; each number opens exactly these on Jobs, in the address's zone."""
    st.header("Possible mistakes")
    for column, suspects in zip(st.columns(3), figures.suspects, strict=True):
        with column.container(border=True, height="stretch", gap="small"):
            _show_suspects(suspects, zone)


def show_days(figures: Figures) -> None:
    """Show what was decided, flagged and logged day by day; two charts beside each other where there is room."""
    days, sums = figures.days, figures.sums
    st.header("Day by day")
    partial = sentences.say_partial(days)
    if partial is not None:
        st.caption(partial)
    drawn = (
        (
            "Decisions",
            sentences.say_decisions(days, sums),
            charts.chart_decisions(days),
            tables.frame_decisions(days),
        ),
        (
            "Flagged jobs",
            sentences.say_flags(days, sums),
            charts.chart_flags(days),
            tables.frame_flags(days),
        ),
        (
            "Rates",
            sentences.say_rates(days, sums),
            charts.chart_rates(days),
            tables.frame_rates(days),
        ),
        (
            "Decided without a log",
            sentences.say_coverage(days, figures.coverage),
            charts.chart_coverage(days, figures.drops),
            tables.frame_coverage(days),
        ),
    )
    beside = 2 if len(days) <= FEW_DAYS else 1
    for first in range(0, len(drawn), beside):
        for column, chart in zip(st.columns(beside, gap="large"), drawn[first : first + beside], strict=True):
            with column:
                show_chart(*chart)


def show_together(figures: Figures) -> None:
    """Show how often categories come together."""
    show_chart(
        "Categories that come together",
        sentences.say_together(figures.sums, figures.together),
        charts.chart_together(figures.together),
        tables.frame_together(figures.together),
    )


def _show_total(label: str, total: int, words: str) -> None:
    st.metric(label, f"{total:,}", delta=words, delta_color="off", delta_arrow="off")


def _show_suspects(suspects: Suspects, zone: str | None) -> None:
    words, whole = DISAGREEMENT_WORDS[suspects.disagreement]
    st.markdown(f"**{words}**")
    if suspects.job_filter is None:
        st.write("Not among these jobs: the filter leaves them out.")
        return
    if not suspects.jobs:
        st.write("0 jobs")
    else:
        st.page_link(
            "jobs/page.py",
            label=f"**{suspects.jobs:,} {'job' if suspects.jobs == 1 else 'jobs'}**",
            icon=":material/arrow_forward:",
            icon_position="right",
            query_params=suspects.job_filter.to_params() | ({} if zone is None else {"tz": zone}),
        )
    st.caption(f"{print_share(suspects.jobs, suspects.possible)} of {suspects.possible:,} {whole}")


def show_chart(
    title: str, sentence: str, spec: dict[str, Any], frame: pd.DataFrame, *, picks: bool = False
) -> Mapping[str, Any]:
    """Show a chart, its numbers in a second tab, and below both a sentence with what they show.

    Return what was clicked, by the names of the chart's `params`, where `picks`.
    """
    selected: Mapping[str, Any] = {}
    st.markdown(f"### {title}")
    drawn, table = st.tabs(["Chart", "Table"], key=f"tabs {title}")
    with drawn:
        alt = f"{title}: {sentence}"
        if picks:
            selected = st.vega_lite_chart(spec, key=f"chart {title}", alt=alt, on_select="rerun").selection
        else:
            st.vega_lite_chart(spec, key=f"chart {title}", alt=alt)
    with table:
        tables.show_table(frame, key=f"table {title}", alt=f"{title}, the numbers of the chart")
    st.caption(sentence)
    return selected
