"""The reasons that were given for the jobs of a filter, each a link to its jobs."""

from dataclasses import replace

import pandas as pd
import streamlit as st

from core.actor import Actor
from core.counts.outcomes import share
from core.errors import QueryTooSlow
from core.facts.reasons import PROMPTS_OF_A_RULE
from core.jobs.access import make_access
from core.jobs.reasons import ReasonCount, Reasons, count_reasons
from dashboard.address.view import View
from dashboard.categories.charts import print_share
from dashboard.categories.tables import show_table
from dashboard.session.resources import get_resources
from dashboard.widgets.markdown_escape import escape

# Reasons that are shown as links; the table has all of them.
LINKED = 10


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
    st.header("Reasons")
    for one in reasons.listed[:LINKED]:
        _show_link(one, reasons, view)
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


def _show_link(one: ReasonCount, reasons: Reasons, view: View) -> None:
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
