"""Jobs: filter them, look at a page of them and at one beside it, download the CSV."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import streamlit as st

from core.actor import Actor, Scope
from core.audit.events import Event, record
from core.counts.by_day import count_in_time
from core.jobs.access import make_access
from core.jobs.hidden_text import Texts, find_hidden
from core.jobs.pages import Page, page_jobs
from core.review.noted_reasons import read_noted
from dashboard.address.current import read_current
from dashboard.address.reading import read_or_default
from dashboard.address.view import PAGE_SIZES, View, default_view, go, go_if_other, parse_view
from dashboard.address.zones import browser_zone, shown_zone
from dashboard.exports.receipt_corner import show_receipt
from dashboard.jobs.download_bar import COUNTED, show_downloads
from dashboard.jobs.head import show_folded_head, show_head
from dashboard.jobs.hidden_text import chosen_texts, show_default, show_switch
from dashboard.jobs.neighbours import show_steps
from dashboard.jobs.nothing_found import show_nothing_found
from dashboard.jobs.search_progress import show_progress
from dashboard.jobs.table import show_jobs
from dashboard.jobs.totals_row import TOTALS, show_totals
from dashboard.open_job.panel import forget_other_job, show_open_job
from dashboard.queues.dialogs import show_save_button
from dashboard.samples.draw_dialog import show_draw_button
from dashboard.session.admission import REVIEWERS, admitted
from dashboard.session.person import find_person
from dashboard.session.resources import Resources, get_resources
from dashboard.session.step_cache import carry, keep
from dashboard.widgets.fields import forget_forms
from dashboard.widgets.table import MOST_HEIGHT, full_width
from dashboard.widgets.window import SCARCE, Window, read_window

# Pixels above the list, above an open job, and of the row beneath the list.
ABOVE_LIST, ABOVE_JOB, PAGER = 260, 168, 64

# How list and open job share the width, but for the pixels between them. Where that is scarce the list needs more of it
# to keep its categories.
SHARES, SCARCE_SHARES, GAP = (11, 9), (3, 2), 16


def show() -> None:
    """Run the page."""
    resources = get_resources()
    person = find_person(resources.settings)
    if person is None or Scope.JOB_READ not in person.scopes:
        st.stop()
    now = datetime.now(UTC)
    view = _read_address(now)
    with st.container(gap="xsmall"):
        window = read_window()
        if view.job is None:
            forget_other_job(None)
            _show_list_page(resources, person, view, window, now)
        else:
            _show_job_page(resources, person, view, view.job, window, now)


def _show_list_page(resources: Resources, person: Actor, view: View, window: Window, now: datetime) -> None:
    """Show the head, the totals with the download, and the list; on a narrow screen the list comes first."""
    if window.is_wide:
        show_head(view, person, now)
        row, list_place = st.container(), full_width("jobs")
    else:
        show_folded_head(view, person, now)
        list_place, row = st.container(), st.container()
    with row, st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        with st.container():
            show_totals(view, now)
        show_switch(view)
        texts = chosen_texts(person)
        downloads = st.container(width="content")
    page, count = _read(resources, person, view, texts)
    with list_place:
        _show_list(view, page, person, texts, window, height=_list_height(window))
    with downloads:
        show_downloads(view.job_filter, count)


def _show_job_page(resources: Resources, person: Actor, view: View, job: UUID, window: Window, now: datetime) -> None:
    """Show the job beside the list, or in its place where the screen is narrow."""
    with st.container(horizontal=True, vertical_alignment="center"):
        if window.is_wide:
            show_folded_head(view, person, now)
        else:
            forget_forms()
        show_switch(view)
        texts = chosen_texts(person)
        st.space("stretch")
        steps = st.container(width="content")
    carry(TOTALS, job)
    page, _ = _read(resources, person, view, texts)
    with steps:
        show_steps(view, page, person.wall, closing="Close" if window.is_wide else "Back to the list")
    listed, beside = st.columns(_shares(window), gap="small") if window.is_wide else (None, st.container())
    # First what somebody waits for who goes from job to job.
    with beside:
        show_open_job(job, shown_zone(view), texts, height=window.height - ABOVE_JOB)
    if listed is not None:
        with listed:
            _show_list(view, page, person, texts, window, height=window.height - ABOVE_JOB - PAGER)
    show_receipt()


def _read_address(now: datetime) -> View:
    return read_or_default(
        lambda given: parse_view(given, browser_zone(), now), lambda: default_view(browser_zone(), now)
    )


def _open(view: View, job: UUID | None) -> None:
    go(replace(view, job=job))


def _read(resources: Resources, person: Actor, view: View, texts: Texts) -> tuple[Page, int | None]:
    """Read the list and how many jobs there are, and commit to the audit what is about to be shown."""
    place = (replace(view, job=None), person.wall, texts)
    page, count = keep("list", place, view.job, lambda: _read_jobs(resources, person, view, texts))
    _record_look(resources, person, view, page, texts)
    return page, count


def _read_jobs(resources: Resources, person: Actor, view: View, texts: Texts) -> tuple[Page, int | None]:
    """Read a page of jobs, and count them as far as COUNTED + 1, where that takes no longer than a search may."""
    source, timeout = resources.databases.source, resources.settings.fencepost_page_timeout
    access = make_access(resources.databases, person.wall)
    noted = read_noted(resources.databases)
    with source.transaction(timeout=timeout, is_snapshot=True) as connection:
        page = page_jobs(
            connection, view.job_filter, access, after=view.after, limit=view.size, texts=texts, noted=noted
        )
        count = count_in_time(connection, view.job_filter, access, limit=COUNTED + 1)
    return page, count


def _record_look(resources: Resources, person: Actor, view: View, page: Page, texts: Texts) -> None:
    """Commit to the audit what is about to be shown, unless it is what this session was just shown.

    Where that fails nothing is shown: the error ends the page.
    """
    shown = (view.job_filter, view.after, texts, tuple(row.job_id for row in page.rows))
    if st.session_state.get("listed") == shown:
        return
    with_text = any(
        find_hidden(row, texts, person.wall) is None and (row.prompt is not None or row.reason is not None)
        for row in page.rows
    )
    details = {"filter": view.job_filter.to_params(), "shown": len(page.rows), "text": with_text}
    if view.after is not None:
        details["after"] = view.to_params()["after"]
    record(resources.databases, Event.JOBS_LISTED, person, details=details)
    st.session_state["listed"] = shown


def _show_list(view: View, page: Page, person: Actor, texts: Texts, window: Window, *, height: int) -> None:
    """Show the page of the list, the way to its neighbours, and what else can be done with it."""
    zone = shown_zone(view)
    if page.rows:
        width = window.content_width
        if view.job is not None:
            shares = _shares(window)
            width = (width - GAP) * shares[0] // sum(shares)
        on_open = partial(_open, view)
        wall = person.wall
        show_jobs(
            page.rows,
            zone,
            texts=texts,
            wall=wall,
            opened=view.job,
            on_open=on_open,
            is_of_one_decision=len(view.job_filter.decision) == 1,
            width=width,
            height=height,
        )
    elif page.searched_to is None:
        _show_nothing(view, person)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if page.rows or page.searched_to is not None:
            _show_pager(view, page)
            show_progress(page, zone)
        if view.job is None:
            st.space("stretch")
            show_default(zone)
            if person.scopes & REVIEWERS:
                queue = replace(view, after=None, job=None, size=PAGE_SIZES[1]).to_params()
                st.page_link("reviews/page.py", label="Review these", icon=":material/rate_review:", query_params=queue)
            show_save_button(person, view.job_filter)
            show_draw_button(person, view.job_filter)
            show_steps(view, page, person.wall)


def _show_nothing(view: View, person: Actor) -> None:
    """Say that there are no jobs, or no more of them, and what leads to some."""
    if view.after is None:
        show_nothing_found(view, person.wall)
        return
    st.info("No older jobs match: go back to the newest.", icon=":material/search_off:")
    st.button("Newest", icon=":material/first_page:", on_click=admitted(go), args=(replace(view, after=None),))


def _show_pager(view: View, page: Page) -> None:
    st.button(
        "Newer",
        icon=":material/chevron_left:",
        on_click=admitted(go),
        args=(replace(view, after=page.previous, job=None),),
        disabled=not page.has_previous,
        key="newer",
    )
    st.button(
        "Older",
        icon=":material/chevron_right:",
        icon_position="right",
        on_click=admitted(go),
        args=(replace(view, after=page.next, job=None),),
        disabled=page.next is None,
        key="older",
    )
    st.session_state["size"] = view.size
    st.selectbox(
        "Jobs per page",
        PAGE_SIZES,
        key="size",
        format_func=lambda size: f"{size} per page",
        on_change=admitted(_apply_size),
        args=(view,),
        width=140,
        label_visibility="collapsed",
    )


def _shares(window: Window) -> tuple[int, int]:
    return SCARCE_SHARES if window.width < SCARCE else SHARES


def _list_height(window: Window) -> int:
    """Return the pixels that the list has where no job is open; a telephone shows it whole, and scrolls the page."""
    return window.height - ABOVE_LIST - PAGER if window.is_wide else MOST_HEIGHT


def _apply_size(view: View) -> None:
    view = read_current(view)
    go_if_other(view, replace(view, size=st.session_state["size"], after=None, job=None))


show()
