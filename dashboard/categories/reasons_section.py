"""The reasons that were given for the jobs of a filter, each a link to its jobs."""

from dataclasses import replace
from hashlib import sha256

import pandas as pd
import streamlit as st

from core.actor import Actor, Scope
from core.counts.outcomes import share
from core.errors import QueryTooSlow
from core.facts.reasons import PROMPTS_OF_A_RULE
from core.jobs.access import make_access
from core.jobs.reasons import ReasonCount, Reasons, count_reasons
from core.review.noted_reasons import learn_rules, mark_underage, read_noted
from dashboard.address.view import View
from dashboard.categories.charts import print_share
from dashboard.categories.tables import show_table
from dashboard.session.admission import ADMINS, admitted, as_person
from dashboard.session.resources import get_resources
from dashboard.widgets.markdown_escape import escape

# Reasons that are shown as links; the table has all of them.
LINKED = 10

# How many are added at a click, and how many are shown now.
MORE = 20
SHOWN = "shown_reasons"


def show_reasons(view: View, person: Actor) -> None:
    """Show the reasons of the jobs of a filter, the commonest first; nothing where no job has one."""
    resources = get_resources()
    access = make_access(resources.databases, person.wall)
    try:
        with resources.databases.source.transaction(timeout=resources.settings.fencepost_page_timeout) as connection:
            reasons = count_reasons(connection, view.job_filter, access)
    except QueryTooSlow:
        st.header("Reasons")
        st.warning("Counting the reasons of these jobs takes too long: choose fewer days.", icon=":material/timer_off:")
        return
    if not reasons.jobs:
        return
    noted = read_noted(resources.databases)
    if not access.counts_reasons:
        # Nothing else there knows them when the list of jobs is shown.
        learn_rules(resources.databases, {one.reason for one in reasons.listed} - noted.rules)
    st.header("Reasons")
    linked = st.session_state.get(SHOWN, LINKED)
    for one in reasons.listed[:linked]:
        _show_link(one, reasons, view, person, is_underage=one.reason in noted.underage)
    if len(reasons.listed) > linked:
        st.button("Show more reasons", icon=":material/unfold_more:", key="more_reasons", on_click=admitted(_show_more))
    if reasons.listed:
        with st.expander(f"All {len(reasons.listed):,} as a table" if len(reasons.listed) > 1 else "As a table"):
            show_table(to_frame(reasons), key="reasons", alt="Reasons with the number of their jobs")
    if reasons.hidden:
        st.caption(describe_hidden(reasons))


def describe_change(one: ReasonCount, reasons: Reasons) -> str:
    """Say how many jobs have a reason, and how that has changed."""
    jobs = "1 job" if one.jobs == 1 else f"{one.jobs:,} jobs"
    said = f"{jobs} · {print_share(one.jobs, reasons.jobs)} of those with a reason"
    if one.is_new:
        return f"{said} · new"
    difference = one.jobs - one.before
    if not difference:
        return f"{said} · as many as in the time before"
    return f"{said} · {abs(difference):,} {'more' if difference > 0 else 'fewer'} than in the time before"


def describe_hidden(reasons: Reasons) -> str:
    """Say how many reasons are not shown, and why."""
    others = "1 reason stands" if reasons.hidden == 1 else f"{reasons.hidden:,} reasons stand"
    jobs = "1 job" if reasons.hidden_jobs == 1 else f"{reasons.hidden_jobs:,} jobs"
    return (
        f"{others} beside fewer than {PROMPTS_OF_A_RULE} different prompts, or are very long, and may quote them: they "
        f"are hidden here ({jobs})."
    )


def to_frame(reasons: Reasons) -> pd.DataFrame:
    """Tell each reason with its numbers, the commonest first."""
    listed = reasons.listed
    return pd.DataFrame(
        {
            "Reason": [one.reason for one in listed],
            "Jobs": [one.jobs for one in listed],
            "Of those with a reason, share": [share(one.jobs, reasons.jobs) for one in listed],
            "In the time before": [one.before for one in listed],
            "New": [one.is_new for one in listed],
        }
    )


def _show_link(one: ReasonCount, reasons: Reasons, view: View, person: Actor, *, is_underage: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.page_link(
            "jobs/page.py",
            label=escape(one.reason, longest=80),
            icon=":material/arrow_forward:",
            icon_position="right",
            query_params=replace(view.job_filter, reason=one.reason).to_params()
            | ({} if view.zone is None else {"tz": view.zone}),
        )
        st.caption(describe_change(one, reasons))
        if Scope.ADMIN_CONFIG in person.scopes:
            key = f"underage_{sha256(one.reason.encode()).hexdigest()[:16]}"
            st.session_state[key] = is_underage
            st.toggle(
                "Underage",
                key=key,
                help="Hide prompts with this reason like those flagged underage. The change is in the audit.",
                on_change=as_person(_mark, ADMINS),
                args=(one.reason, key),
            )
        elif is_underage:
            st.badge("Marked underage", color="orange")


def _mark(person: Actor, reason: str, key: str) -> None:
    mark_underage(get_resources().databases, person, reason, is_underage=st.session_state[key])


def _show_more() -> None:
    st.session_state[SHOWN] = st.session_state.get(SHOWN, LINKED) + MORE
