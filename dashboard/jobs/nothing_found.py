"""What the Jobs page says where no job matches, and the ways out that it offers."""

from dataclasses import replace
from datetime import MAXYEAR, MINYEAR, timedelta

import streamlit as st

from core.errors import QueryTooSlow
from core.instants import in_zone
from core.jobs.access import make_access
from core.jobs.filter import JobFilter
from core.jobs.pages import find_newest
from core.jobs.query import count_jobs
from core.jobs.wall import Wall
from core.program import COMMAND
from dashboard.address.periods import days_range
from dashboard.address.view import View, go
from dashboard.address.zones import shown_zone
from dashboard.jobs.filter_chips import list_chips
from dashboard.session.admission import admitted
from dashboard.session.resources import get_resources

# Beyond this many it does not matter how many more there are.
_ENOUGH = 1_000

# Seconds that looking for the newest job may take: in a source of somebody else's there may be no index for it.
_TIMEOUT = 1


def show_nothing_found(view: View, wall: Wall) -> None:
    """Say that nothing matches and which condition alone has removed everything, and offer to drop it.

    Where the period is empty, offer the newest jobs.
    """
    st.info("No jobs match.", icon=":material/search_off:")
    within = JobFilter(range=view.job_filter.range, client_id=view.job_filter.client_id)
    with st.container(gap="small"):
        is_empty = _count(within, wall) == 0
        if is_empty:
            _offer_newest(view, wall)
        if not _offer_without(view, wall) and not is_empty:
            st.caption("No single filter rules everything out; several do so together. Drop some of them above.")


def _offer_newest(view: View, wall: Wall) -> None:
    """Offer the week that ends with the newest job, of the client where one is chosen."""
    client_id = view.job_filter.client_id
    said = f"{'There is no job' if client_id is None else 'This client has no job'} in this period."
    databases = get_resources().databases
    try:
        with databases.source.transaction(timeout=_TIMEOUT) as connection:
            newest = find_newest(connection, wall, client_id)
    except QueryTooSlow:
        st.caption(f"{said} Choose another one.")
        return
    if newest is None:
        is_new = client_id is None and wall.sees_all and databases.jobs_are_ours
        how = f": `{COMMAND} import` and `{COMMAND} sync` bring jobs in" if is_new else ""
        st.caption(f"{said} Nor is there one at any other time{how}.")
        return
    # The days of the years 1 and 9999 are beyond what can be picked.
    if not MINYEAR < newest.year < MAXYEAR:
        st.caption(f"{said} Choose another one.")
        return
    zone = shown_zone(view)
    last = in_zone(newest, zone).date()
    named = f"{last:%a} {last.day} {last:%b %Y}"
    st.caption(f"{said} The newest one is of {named}.")
    week = replace(view.job_filter, range=days_range(last - timedelta(days=6), last, zone))
    st.button(
        f"Show the 7 days up to {named}",
        icon=":material/history:",
        key="newest_jobs",
        on_click=admitted(go),
        args=(replace(view.filtered(week), preset=None),),
    )


def _offer_without(view: View, wall: Wall) -> bool:
    """Offer to drop each condition without which there are jobs; return whether there is one."""
    offered = False
    for chip in list_chips(view.job_filter):
        found = _count(chip.without, wall)
        if found:
            offered = True
            st.button(
                f"Without “{chip.label}”: {_name_count(found)}",
                icon=":material/filter_alt_off:",
                key=f"drop_{chip.name}",
                on_click=admitted(go),
                args=(view.filtered(chip.without),),
            )
    return offered


def _count(job_filter: JobFilter, wall: Wall) -> int:
    resources = get_resources()
    source = resources.databases.source
    access = make_access(resources.databases, wall)
    with source.transaction(timeout=resources.settings.fencepost_page_timeout) as connection:
        return count_jobs(connection, job_filter, access, limit=_ENOUGH + 1)


def _name_count(count: int) -> str:
    if count > _ENOUGH:
        return f"{_ENOUGH:,}+ jobs"
    return "1 job" if count == 1 else f"{count:,} jobs"
