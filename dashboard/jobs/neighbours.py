"""Steps from job to job within the filter: J to the next, K to the one before, Escape closes."""

from dataclasses import replace
from typing import Any

import streamlit as st

from core.jobs.access import make_access
from core.jobs.job import find_job
from core.jobs.pages import Page, find_newer, find_older
from core.jobs.query import PageKey
from core.jobs.wall import Wall
from dashboard.address.view import View, go
from dashboard.session.admission import admitted
from dashboard.session.resources import get_resources


def show_steps(view: View, page: Page, wall: Wall, *, closing: str = "Close") -> None:
    """Show the buttons that open the next job, the one before, and none; where none is open, the first of the list."""
    nothing = not page.rows and view.job is None
    arguments: dict[str, Any] = {"type": "tertiary", "disabled": nothing}
    following = "Open the first" if view.job is None else "Next"
    with st.container(horizontal=True, gap="small", width="content"):
        if view.job is not None:
            st.button(
                "Previous",
                key="step_newer",
                shortcut="K",
                on_click=admitted(_step),
                args=(view, page, wall, -1),
                **arguments,
            )
        st.button(
            following, key="step_older", shortcut="J", on_click=admitted(_step), args=(view, page, wall, 1), **arguments
        )
        if view.job is not None:
            st.button(
                closing,
                key="close_job",
                shortcut="Esc",
                type="tertiary",
                on_click=admitted(go),
                args=(replace(view, job=None),),
            )


def _step(view: View, page: Page, wall: Wall, by: int) -> None:
    """Open a neighbour of the open job, and with it the page of the list that it stands on."""
    keys = [PageKey(row.created_at, row.job_id) for row in page.rows]
    place = next((number for number, key in enumerate(keys) if key.job_id == view.job), None)
    if view.job is None:
        go(replace(view, job=keys[0].job_id))
    elif place is not None and 0 <= place + by < len(keys):
        go(replace(view, job=keys[place + by].job_id))
    else:
        _leave_page(view, page, wall, by, keys[place] if place is not None else None)


def _leave_page(view: View, page: Page, wall: Wall, by: int, key: PageKey | None) -> None:
    """Open the neighbour that this page of the list does not hold."""
    resources = get_resources()
    source = resources.databases.source
    access = make_access(resources.databases, wall)
    with source.transaction(timeout=resources.settings.fencepost_page_timeout, is_snapshot=True) as connection:
        is_listed = key is not None
        if key is None and view.job is not None:
            job = find_job(connection, view.job, wall)
            key = None if job is None else PageKey(job.created_at, job.job_id)
        if key is None:
            return
        step = find_older if by > 0 else find_newer
        found = step(connection, view.job_filter, access, key)
        if found is None:
            st.toast("This is the last job of this filter." if by > 0 else "This is the first job of this filter.")
            return
        if by > 0:
            after: PageKey | None = key
        elif is_listed:
            after = page.previous
        else:
            after = find_newer(connection, view.job_filter, access, found)
    go(replace(view, after=after, job=found.job_id))
