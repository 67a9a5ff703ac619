"""What the page of categories shows of its figures, from top to bottom."""

from typing import Any

import pandas as pd
import streamlit as st

from core.disagreements import Disagreement, Suspects
from dashboard import category_charts, category_sentences, category_tables
from dashboard.category_charts import FEW_DAYS, print_share
from dashboard.category_figures import Figures

# What each disagreement is called, and of which jobs it is a share.
DISAGREEMENT_WORDS = {
    Disagreement.REJECTED_WITHOUT_CATEGORY: ("Rejected with no category", "rejected jobs with a log"),
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
        _show_total("With a log", sums.evaluated, f"{covered} of all")
    if figures.usual is not None and figures.drops:
        st.warning(category_sentences.say_drops(figures.usual, figures.drops), icon=":material/trending_down:")


def show_disagreements(figures: Figures, zone: str | None) -> None:
    """Show how many jobs deserve a second look; each number opens exactly these on Jobs, in the address's zone."""
    st.header("Worth a second look")
    for column, suspects in zip(st.columns(3), figures.suspects, strict=True):
        with column.container(border=True, height="stretch", gap="small"):
            _show_suspects(suspects, zone)


def show_days(figures: Figures) -> None:
    """Show what was decided, flagged and logged day by day; two charts beside each other where there is room."""
    days, sums = figures.days, figures.sums
    st.header("Day by day")
    partial = category_sentences.say_partial(days)
    if partial is not None:
        st.caption(partial)
    charts = (
        (
            "Decisions",
            category_sentences.say_decisions(days, sums),
            category_charts.chart_decisions(days),
            category_tables.frame_decisions(days),
        ),
        (
            "Flagged jobs",
            category_sentences.say_flags(days, sums),
            category_charts.chart_flags(days),
            category_tables.frame_flags(days),
        ),
        (
            "Rates",
            category_sentences.say_rates(days, sums),
            category_charts.chart_rates(days),
            category_tables.frame_rates(days),
        ),
        (
            "Decided without a log",
            category_sentences.say_coverage(days, figures.coverage),
            category_charts.chart_coverage(days, figures.drops),
            category_tables.frame_coverage(days),
        ),
    )
    beside = 2 if len(days) <= FEW_DAYS else 1
    for first in range(0, len(charts), beside):
        for column, chart in zip(st.columns(beside, gap="large"), charts[first : first + beside], strict=True):
            with column:
                _show_chart(*chart)


def show_together(figures: Figures) -> None:
    """Show how often categories come together."""
    _show_chart(
        "Categories that come together",
        category_sentences.say_together(figures.sums, figures.together),
        category_charts.chart_together(figures.together),
        category_tables.frame_together(figures.together),
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
            "views/jobs.py",
            label=f"**{suspects.jobs:,} {'job' if suspects.jobs == 1 else 'jobs'}**",
            icon=":material/arrow_forward:",
            icon_position="right",
            query_params=suspects.job_filter.to_params() | ({} if zone is None else {"tz": zone}),
        )
    st.caption(f"{print_share(suspects.jobs, suspects.possible)} of {suspects.possible:,} {whole}")


def _show_chart(title: str, sentence: str, spec: dict[str, Any], frame: pd.DataFrame) -> None:
    """Show a chart, its numbers in a second tab, and below both a sentence with what they show."""
    st.markdown(f"### {title}")
    drawn, table = st.tabs(["Chart", "Table"], key=f"tabs {title}")
    with drawn:
        st.vega_lite_chart(spec, key=f"chart {title}", alt=f"{title}: {sentence}")
    with table:
        category_tables.show_table(frame, key=f"table {title}", alt=f"{title}, the numbers of the chart")
    st.caption(sentence)
