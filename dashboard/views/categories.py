"""Categories: how often jobs are rejected and flagged, and where that does not fit together."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import chain
from typing import Any

import pandas as pd
import streamlit as st

from core.access import Actor, Scope
from core.audit import Event, record
from core.breakdowns import combine_by_day
from core.combinations import Combination, Sums, count_together, sum_up
from core.coverage import Coverage, cover, find_drops
from core.disagreements import Disagreement, Suspects, find_suspects
from core.errors import QueryTooSlow
from core.filters import Category
from dashboard import category_charts, category_sentences, category_tables
from dashboard.address import View
from dashboard.category_address import read_address
from dashboard.category_charts import print_share
from dashboard.category_controls import show_controls, show_further_filter
from dashboard.category_days import ShownDay, list_days
from dashboard.known_clients import find_clients
from dashboard.people import find_person
from dashboard.periods import describe
from dashboard.resources import Resources, get_resources
from dashboard.zones import shown_zone

# What each disagreement is called, and of which jobs it is a share.
DISAGREEMENT_WORDS = {
    Disagreement.REJECTED_WITHOUT_CATEGORY: ("Rejected with no category", "rejected jobs with a log"),
    Disagreement.PASSED_ALTHOUGH_FLAGGED: ("Passed although flagged", "passed jobs with a log"),
    Disagreement.DECIDED_WITHOUT_LOG: ("Decided without a log", "decided jobs"),
}

Combined = dict[date, list[Combination]]


@dataclass(frozen=True, slots=True)
class Figures:
    """What the page shows, added up from one look at the jobs."""

    days: list[ShownDay]
    sums: Sums
    together: dict[frozenset[Category], int]
    coverage: Coverage
    suspects: list[Suspects]


def show() -> None:
    """Run the page."""
    resources = get_resources()
    person = find_person(resources.settings)
    if person is None or Scope.JOB_READ not in person.scopes:
        st.stop()
    now = datetime.now(UTC)
    st.title("Categories")
    view = read_address(now)
    clients = find_clients(resources.databases.source, person.wall)
    combined = _count_jobs(resources, person, view)
    # Where this fails nothing is shown: the error ends the page.
    record(resources.databases, Event.CATEGORIES_VIEWED, person, details={"filter": view.job_filter.to_params()})
    show_controls(view, clients, person.wall, now)
    st.caption(describe(view.job_filter.range, shown_zone(view)))
    show_further_filter(view)
    if combined is None:
        _show_too_slow(resources)
        return
    figures = _add_up(combined, view, now)
    if not figures.sums.jobs:
        st.info("No jobs match. Choose other days or another client.", icon=":material/search_off:")
        return
    _show_totals(figures)
    _show_disagreements(view, figures)
    _show_days(figures)
    _show_together(figures)
    _show_coverage(figures)
    # The reviews' section (overturn rates, agreement of reviewers) has its place here, below what was counted.


def _count_jobs(resources: Resources, person: Actor, view: View) -> Combined | None:
    """Count the jobs of the view, or return None where that takes longer than a page may."""
    databases, timeout = resources.databases, resources.settings.fencepost_page_timeout
    folding = databases.source.folding()
    try:
        with databases.source.transaction(timeout=timeout) as connection:
            return combine_by_day(
                connection,
                view.job_filter,
                person.wall,
                folding,
                shown_zone(view),
                counted_ahead=databases.jobs_are_ours,
            )
    except QueryTooSlow:
        return None


def _show_too_slow(resources: Resources) -> None:
    limit = f"{resources.settings.fencepost_page_timeout:g}"
    why = (
        "With these filters each job is looked at"
        if resources.databases.jobs_are_ours
        else "The jobs live in another database, where nothing is counted ahead"
    )
    st.warning(
        f"Figures, charts and tables are off: counting takes longer than the {limit} seconds that a page may take. "
        f"{why}: choose fewer days, or fewer filters.",
        icon=":material/timer_off:",
    )


def _add_up(combined: Combined, view: View, now: datetime) -> Figures:
    everything = list(chain.from_iterable(combined.values()))
    return Figures(
        list_days(combined, view.job_filter.range, shown_zone(view), now),
        sum_up(everything),
        count_together(everything),
        cover(everything),
        find_suspects(everything, view.job_filter),
    )


def _show_totals(figures: Figures) -> None:
    sums = figures.sums
    with st.container(horizontal=True):
        st.metric("Jobs", f"{sums.jobs:,}")
        st.metric("Rejected", f"{sums.rejected:,}", help="Percentage: of the decided jobs.")
        st.metric("Flagged", f"{sums.any_flagged:,}")
        st.metric("Without a log", f"{sums.jobs - sums.evaluated:,}")


def _show_disagreements(view: View, figures: Figures) -> None:
    st.subheader("Worth a second look")
    for column, suspects in zip(st.columns(3), figures.suspects, strict=True):
        words, whole = DISAGREEMENT_WORDS[suspects.disagreement]
        with column.container(border=True, height="stretch"):
            st.markdown(f"**{words}**")
            if suspects.job_filter is None:
                st.write("Not within this filter")
            elif suspects.jobs:
                zone = {} if view.zone is None else {"tz": view.zone}
                st.page_link(
                    "views/jobs.py",
                    label=f"{suspects.jobs:,} {'job' if suspects.jobs == 1 else 'jobs'}",
                    icon=":material/list:",
                    query_params=suspects.job_filter.to_params() | zone,
                )
                st.caption(f"{print_share(suspects.jobs, suspects.possible)} of the {whole}")
            else:
                st.write("No jobs")


def _show_days(figures: Figures) -> None:
    days, sums = figures.days, figures.sums
    st.subheader("Per day")
    partial = category_sentences.say_partial(days)
    if partial is not None:
        st.caption(partial)
    _show_chart(
        "Decisions",
        category_sentences.say_decisions(days, sums),
        category_charts.chart_decisions(days),
        category_tables.frame_decisions(days),
    )
    _show_chart(
        "Flagged jobs",
        category_sentences.say_flags(days, sums),
        category_charts.chart_flags(days),
        category_tables.frame_flags(days),
    )
    _show_chart(
        "Rates",
        category_sentences.say_rates(days, sums),
        category_charts.chart_rates(days),
        category_tables.frame_rates(days),
    )


def _show_together(figures: Figures) -> None:
    _show_chart(
        "Categories that come together",
        category_sentences.say_together(figures.sums, figures.together),
        category_charts.chart_together(figures.together),
        category_tables.frame_together(figures.together),
    )


def _show_coverage(figures: Figures) -> None:
    usual, dropped = find_drops({day.day: day.coverage for day in figures.days})
    drops = [day for day in figures.days if day.day in dropped]
    if usual is not None and drops:
        st.warning(category_sentences.say_drops(usual, drops), icon=":material/trending_down:")
    _show_chart(
        "Decided without a log",
        category_sentences.say_coverage(figures.days, figures.coverage),
        category_charts.chart_coverage(figures.days, drops),
        category_tables.frame_coverage(figures.days),
    )


def _show_chart(title: str, sentence: str, spec: dict[str, Any], frame: pd.DataFrame) -> None:
    """Show a chart with what it shows in a sentence, and in a second tab its numbers."""
    st.markdown(f"#### {title}")
    st.write(sentence)
    drawn, table = st.tabs(["Chart", "Table"], key=f"tabs {title}")
    with drawn:
        st.vega_lite_chart(spec, key=f"chart {title}", alt=f"{title}: {sentence}")
    with table:
        category_tables.show_table(frame, key=f"table {title}", alt=f"{title}, the numbers of the chart")


show()
