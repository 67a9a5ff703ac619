"""Categories: how often jobs are rejected and flagged, and where that does not fit together."""

from dataclasses import replace
from datetime import UTC, date, datetime

import streamlit as st

from core.actor import Actor, Scope
from core.audit.events import Event, record
from core.counts.by_day import combine_by_day
from core.counts.disagreements import explained_filter
from core.counts.log_coverage import LOOK_BACK
from core.counts.outcomes import Combination
from core.errors import QueryTooSlow
from core.jobs.access import make_access
from core.jobs.filter import DateRange
from core.jobs.reasons import count_with_reason
from dashboard.address.periods import describe
from dashboard.address.view import View
from dashboard.address.zones import shown_zone
from dashboard.categories.address import read_address
from dashboard.categories.controls import show_controls, show_further_filter
from dashboard.categories.figures import Figures, add_up
from dashboard.categories.reasons_section import show_reasons
from dashboard.categories.reviews_section import show_review_figures
from dashboard.categories.sections import show_days, show_disagreements, show_together, show_totals
from dashboard.samples.draw_dialog import show_draw_button
from dashboard.session.person import find_person
from dashboard.session.resources import Resources, get_resources
from dashboard.widgets.client_select import find_clients


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
    counted = _count_jobs(resources, person, view)
    before = {} if counted is None else _count_before(resources, person, view)
    # Committed to the audit before it is shown. Where that fails nothing is: the error ends the page.
    details = {"filter": view.job_filter.to_params()}
    record(resources.databases, Event.CATEGORIES_VIEWED, person, details=details)
    show_controls(view, clients, person.wall, now)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(describe(view.job_filter.range, shown_zone(view)), width="content")
        show_draw_button(person, view.job_filter)
    show_further_filter(view)
    if counted is None:
        _show_too_slow(resources)
    else:
        combined, with_reason = counted
        figures = add_up(combined, view.job_filter, shown_zone(view), now, before, with_reason)
        _show_figures(figures, view)
        show_reasons(view, person, figures.days)
    show_review_figures(view, person)


def _show_figures(figures: Figures, view: View) -> None:
    if not figures.sums.jobs:
        st.info("No jobs match. Choose other days or another client.", icon=":material/search_off:")
        return
    show_totals(figures)
    show_disagreements(figures, view.zone)
    show_days(figures)
    show_together(figures)


def _count_jobs(resources: Resources, person: Actor, view: View) -> tuple[dict[date, list[Combination]], int] | None:
    """Count the jobs of the view, and the rejected ones among them that a reason explains and no category.

    Both are of one snapshot. None where that takes longer than a page may.
    """
    databases, explained = resources.databases, explained_filter(view.job_filter)
    access, timeout = make_access(databases, person.wall), resources.settings.fencepost_page_timeout
    try:
        with databases.source.transaction(timeout=timeout, is_snapshot=True) as connection:
            combined = combine_by_day(connection, view.job_filter, access, shown_zone(view))
            return combined, 0 if explained is None else count_with_reason(connection, explained, access)
    except QueryTooSlow:
        return None


def _count_before(resources: Resources, person: Actor, view: View) -> dict[date, list[Combination]]:
    """Count the jobs of the time before, from which is known what is ordinary; none where that takes long."""
    databases, start = resources.databases, view.job_filter.range.start
    access = make_access(databases, person.wall)
    try:
        earlier = replace(view.job_filter, range=DateRange(start - LOOK_BACK, start))
        with databases.source.transaction(timeout=1, is_snapshot=True) as connection:
            return combine_by_day(connection, earlier, access, shown_zone(view))
    except (QueryTooSlow, OverflowError):
        return {}


def _show_too_slow(resources: Resources) -> None:
    limit = f"{resources.settings.fencepost_page_timeout:g}"
    why = (
        "With a filter like this each job is looked at"
        if resources.databases.jobs_are_ours
        else "The jobs live in a database where nothing is counted ahead, so each is looked at"
    )
    st.warning(
        f"Figures, charts and tables are off: counting these jobs takes longer than the {limit} seconds that a page "
        f"may take. {why}: choose fewer days, or clear other filters.",
        icon=":material/timer_off:",
    )


show()
