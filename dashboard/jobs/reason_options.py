"""The names of rules that the filter of Jobs offers as somebody types, with the numbers of their jobs in the period."""

import time as clock

import streamlit as st

from core.errors import QueryTooSlow
from core.jobs.access import make_access
from core.jobs.filter import JobFilter
from core.jobs.reasons import list_rules
from core.jobs.wall import Wall
from core.review.noted_reasons import read_noted
from dashboard.address.view import View
from dashboard.session.resources import get_resources

# Names that are offered, the commonest; any other can be typed.
MOST = 200

# Seconds for which numbers are shown without being counted anew.
KEPT = 60

# Seconds that counting may take: without numbers the box works, too.
TIMEOUT = 1

_KEY = "reason_options"


def find_reason_options(view: View, wall: Wall) -> dict[str, int | None]:
    """Return the names with their numbers of jobs (None: not counted), the commonest first."""
    place = (view.preset or view.job_filter.range, view.job_filter.client_id, wall)
    kept = st.session_state.get(_KEY)
    if kept is None or kept[0] != place or clock.monotonic() - kept[1] > KEPT:
        kept = (place, clock.monotonic(), _find(view.job_filter, wall))
        st.session_state[_KEY] = kept
    found: dict[str, int | None] = kept[2]
    return found


def name_option(reason: str, jobs: int | None) -> str:
    """Write a reason in one line, with its number of jobs."""
    line = " ".join(reason.split())
    return line if jobs is None else f"{line} · {jobs:,} {'job' if jobs == 1 else 'jobs'}"


def _find(job_filter: JobFilter, wall: Wall) -> dict[str, int | None]:
    databases = get_resources().databases
    access = make_access(databases, wall)
    period = JobFilter(range=job_filter.range, client_id=job_filter.client_id)
    try:
        with databases.source.transaction(timeout=TIMEOUT) as connection:
            counted = list_rules(connection, period, access, limit=MOST)
    except QueryTooSlow:
        counted = None
    if counted is not None:
        return dict(counted)
    if not wall.sees_all:
        # They are known of all jobs.
        return {}
    return dict.fromkeys(sorted(read_noted(databases).rules)[:MOST])
