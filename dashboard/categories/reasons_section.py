"""The reasons that were given for the jobs of a filter, each a link to its jobs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256

import pandas as pd
import streamlit as st

from core.actor import Actor, Scope
from core.counts.outcomes import share
from core.counts.reason_days import count_reasons_by_day
from core.errors import QueryTooSlow
from core.facts.reasons import PROMPTS_OF_A_RULE
from core.instants import day_end, day_start
from core.jobs.access import JobAccess, make_access
from core.jobs.filter import DateRange
from core.jobs.reasons import ReasonCount, Reasons, count_reasons, find_reasons
from core.review.noted_reasons import learn_rules, mark_underage, read_noted
from core.review.statistics import list_firm_verdicts
from dashboard.address.view import View
from dashboard.address.zones import shown_zone
from dashboard.categories.charts import print_share
from dashboard.categories.days import ShownDay
from dashboard.categories.reason_chart import chart_reasons, find_picked, frame_reasons, say_reasons
from dashboard.categories.sections import show_chart
from dashboard.categories.tables import show_table
from dashboard.session.admission import ADMINS, admitted, as_person
from dashboard.session.resources import Resources, get_resources
from dashboard.widgets.markdown_escape import escape, spell
from dashboard.widgets.onward import lead_on

# Reasons that are shown as links; the table has all of them.
LINKED = 10

# How many are added at a click, and how many are shown now.
MORE = 20
SHOWN = "shown_reasons"


@dataclass(frozen=True, slots=True)
class Verdicts:
    """How many firm verdicts there are on jobs of a reason, and how many of them overturn the decision."""

    reviewed: int
    overturned: int


def show_reasons(view: View, person: Actor, days: Sequence[ShownDay]) -> None:
    """Show the reasons of the jobs of a filter, the commonest first; nothing where no job has one."""
    resources = get_resources()
    access, timeout = make_access(resources.databases, person.wall), resources.settings.fencepost_page_timeout
    try:
        with resources.databases.source.transaction(timeout=timeout, is_snapshot=True) as connection:
            reasons = count_reasons(connection, view.job_filter, access)
            commonest = [one.reason for one in reasons.listed[:LINKED]]
            by_day = count_reasons_by_day(connection, view.job_filter, access, commonest, shown_zone(view))
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
    verdicts = _count_verdicts(resources, view, access, [one.reason for one in reasons.listed])
    for one in reasons.listed[:linked]:
        _show_link(one, reasons, view, person, verdicts.get(one.reason), is_underage=one.reason in noted.underage)
    if len(reasons.listed) > linked:
        st.button("Show more reasons", icon=":material/unfold_more:", key="more_reasons", on_click=admitted(_show_more))
    if reasons.listed:
        with st.expander(f"All {len(reasons.listed):,} as a table" if len(reasons.listed) > 1 else "As a table"):
            show_table(to_frame(reasons, verdicts), key="reasons", alt="Reasons with the number of their jobs")
        title = "The commonest reasons by day" if len(commonest) > 1 else "This reason by day"
        drawn = chart_reasons(days, by_day)
        selected = show_chart(title, say_reasons(days, by_day), drawn, frame_reasons(days, by_day), picks=True)
        st.caption("Click a mark to see its jobs.")
        picked = find_picked(selected, by_day)
        if picked is not None:
            lead_on("jobs", "Its jobs", link_reason(view, *picked))
    if reasons.hidden:
        st.caption(describe_hidden(reasons))


def link_reason(view: View, reason: str, day: date | None = None) -> dict[str, str]:
    """Return the address of the jobs with a reason, of the whole period or of one day in the zone that is shown."""
    job_filter = replace(view.job_filter, reason=reason)
    if day is not None:
        whole, zone = view.job_filter.range, shown_zone(view)
        bounds = DateRange(max(whole.start, day_start(day, zone)), min(whole.end, day_end(day, zone)))
        job_filter = replace(job_filter, range=bounds)
    return job_filter.to_params() | ({} if view.zone is None else {"tz": view.zone})


def describe_change(one: ReasonCount, reasons: Reasons) -> str:
    """Say how many jobs have a reason, and how that has changed."""
    jobs = "1 job" if one.jobs == 1 else f"{one.jobs:,} jobs"
    said = f"{jobs} · {print_share(one.jobs, reasons.jobs)} of those with a reason"
    if one.is_new:
        return said
    difference = one.jobs - one.before
    if not difference:
        return f"{said} · as many as in the period before"
    return f"{said} · {abs(difference):,} {'more' if difference > 0 else 'fewer'} than in the period before"


def describe_hidden(reasons: Reasons) -> str:
    """Say how many reasons are not shown, and why."""
    others = "1 reason appears" if reasons.hidden == 1 else f"{reasons.hidden:,} reasons appear"
    jobs = "1 job" if reasons.hidden_jobs == 1 else f"{reasons.hidden_jobs:,} jobs"
    return (
        f"{others} with fewer than {PROMPTS_OF_A_RULE} different prompts, or are very long, and may quote them: they "
        f"are hidden here ({jobs})."
    )


def describe_verdicts(verdicts: Verdicts | None) -> str:
    """Say how often reviewers disagreed with the decisions on jobs of a reason; nothing where nobody has reviewed."""
    if verdicts is None:
        return ""
    whole = "1 verdict overturns" if verdicts.reviewed == 1 else f"{verdicts.reviewed:,} verdicts overturn"
    return f" · {verdicts.overturned:,} of {whole} the decision"


def _count_verdicts(resources: Resources, view: View, access: JobAccess, reasons: Sequence[str]) -> dict[str, Verdicts]:
    """Count the verdicts on jobs of each reason, and those that overturn; none where that takes long."""
    asked = view.job_filter
    with resources.databases.ours.transaction() as connection:
        firm = list_firm_verdicts(connection, asked.range, asked.client_id, access.wall)
    if not firm or not reasons:
        return {}
    try:
        with resources.databases.source.transaction(timeout=1) as connection:
            found = find_reasons(connection, asked, access, sorted({job for job, _ in firm}), reasons)
    except QueryTooSlow:
        return {}
    counted = Counter((found[job], overturns) for job, overturns in firm if job in found)
    return {
        reason: Verdicts(counted[reason, True] + counted[reason, False], counted[reason, True])
        for reason in set(found.values())
    }


def to_frame(reasons: Reasons, verdicts: Mapping[str, Verdicts]) -> pd.DataFrame:
    """Tell each reason with its numbers, the commonest first."""
    listed = reasons.listed
    return pd.DataFrame(
        {
            "Reason": [one.reason for one in listed],
            "Jobs": [one.jobs for one in listed],
            "Of those with a reason, share": [share(one.jobs, reasons.jobs) for one in listed],
            "In the period before": [one.before for one in listed],
            "New": [one.is_new for one in listed],
            "Verdicts": [verdicts[one.reason].reviewed if one.reason in verdicts else 0 for one in listed],
            "Overturned": [verdicts[one.reason].overturned if one.reason in verdicts else 0 for one in listed],
        }
    )


def _show_link(
    one: ReasonCount, reasons: Reasons, view: View, person: Actor, verdicts: Verdicts | None, *, is_underage: bool
) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.page_link(
            "jobs/page.py",
            label=escape(one.reason, longest=80),
            icon=":material/arrow_forward:",
            icon_position="right",
            query_params=link_reason(view, one.reason),
        )
        if one.is_new:
            st.badge("New", color="blue", help="Seen first in this period.")
        st.caption(describe_change(one, reasons) + describe_verdicts(verdicts))
        if Scope.ADMIN_CONFIG in person.scopes:
            key = f"underage_{sha256(one.reason.encode()).hexdigest()[:16]}"
            st.session_state[key] = is_underage
            with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", width="content"):
                st.caption(
                    "Underage",
                    help="Hide prompts with this reason like those flagged underage. The change is in the audit.",
                )
                # The label is what is read out: ten of them may not be called the same.
                st.toggle(
                    f"Underage: {spell(one.reason)}",
                    key=key,
                    label_visibility="collapsed",
                    on_change=as_person(_mark, ADMINS),
                    args=(one.reason, key),
                )
        elif is_underage:
            st.badge("Marked underage", color="orange")


def _mark(person: Actor, reason: str, key: str) -> None:
    mark_underage(get_resources().databases, person, reason, is_underage=st.session_state[key])


def _show_more() -> None:
    st.session_state[SHOWN] = st.session_state.get(SHOWN, LINKED) + MORE
