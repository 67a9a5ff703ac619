"""The row of figures above the jobs: of the range and client, with the change against the time before."""

from datetime import datetime

import streamlit as st

from core.actor import Actor
from core.counts.totals import Comparison, compare
from core.errors import DatabaseUnavailable, QueryTooSlow
from core.jobs.access import make_access
from core.jobs.filter import DateRange
from core.jobs.wall import Wall
from dashboard.address.periods import PRESETS
from dashboard.address.view import View
from dashboard.session.admission import fragment
from dashboard.session.resources import get_resources
from dashboard.session.step_cache import keep


# Beside the table, not before it: it asks the database at the same time.
@fragment(parallel=True)
def show_figures(person: Actor, view: View, now: datetime) -> None:
    """Show the figures; where they take too long, say so and leave the page as it is."""
    bounds, client_id = view.job_filter.range, view.job_filter.client_id
    try:
        found = keep(
            "figures",
            (bounds, client_id, person.wall),
            view.job,
            lambda: _compare(bounds, client_id, person.wall, now),
        )
    except QueryTooSlow:
        st.caption("The figures of this period take too long to count: choose a shorter one.")
        return
    except DatabaseUnavailable:
        # The page itself says so, and offers to try again.
        return
    _show(found, _name_before(view))


def _compare(bounds: DateRange, client_id: str | None, wall: Wall, now: datetime) -> Comparison:
    resources = get_resources()
    source = resources.databases.source
    with source.transaction(timeout=resources.settings.fencepost_page_timeout) as connection:
        return compare(
            connection,
            bounds,
            client_id,
            make_access(resources.databases, wall),
            now,
        )


def _show(found: Comparison, before: str) -> None:
    now, earlier = found.now, found.before
    with st.container(border=True), st.grid(5, min_column_width=150):
        _show_figure("Jobs", now.jobs, earlier.jobs, before)
        share, earlier_share = now.rejected_share, earlier.rejected_share
        _show_figure("Rejected", now.rejected, earlier.rejected, before)
        st.metric(
            "Rejection rate",
            "–" if share is None else f"{share:.1%}",
            None if share is None or earlier_share is None else _points(share - earlier_share),
            delta_color="off",
            help=f"Of the decided jobs. Against {before}, in percentage points.",
        )
        _show_figure("Undecided", now.undecided, earlier.undecided, before)
        _show_figure("Not evaluated", now.not_evaluated, earlier.not_evaluated, before)


def _show_figure(label: str, now: int, before: int, period: str) -> None:
    # Neither more nor fewer is good or bad by itself, so there is no colour.
    change = None if before == 0 else round((now - before) / before * 100, 1)
    st.metric(
        label,
        f"{now:,}",
        None if change is None else (0 if change == 0 else f"{change:+,} %"),
        delta_color="off",
        help=f"Against {before:,} {period}.",
    )


def _points(difference: float) -> str | int:
    points = round(difference * 100, 1)
    return f"{points:+} points" if points else 0


def _name_before(view: View) -> str:
    return (
        {
            "24h": "in the 24 hours before",
            "7d": "in the 7 days before",
            "30d": "in the 30 days before",
        }.get(view.preset or "", "in as much time before")
        if view.preset in PRESETS
        else "in as much time before"
    )
