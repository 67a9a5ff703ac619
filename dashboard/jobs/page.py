"""Jobs: filter them, look at a page of them and at one beside it, download the CSV."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import streamlit as st

from core.actor import Actor, Scope
from core.audit.events import Event, record
from core.counts.by_day import count_in_time
from core.errors import InvalidParameter
from core.jobs.access import make_access
from core.jobs.hidden_text import Texts
from core.jobs.pages import Page, page_jobs
from dashboard.address.periods import describe
from dashboard.address.view import PAGE_SIZES, View, default_view, go, parse_view
from dashboard.address.zones import browser_zone, shown_zone
from dashboard.jobs.download_bar import COUNTED, show_downloads
from dashboard.jobs.filter_chips import show_chips
from dashboard.jobs.filter_form import show_form, show_form_error, show_period
from dashboard.jobs.hidden_text import choose_texts
from dashboard.jobs.neighbours import show_steps
from dashboard.jobs.nothing_found import show_nothing_found
from dashboard.jobs.search_progress import show_progress
from dashboard.jobs.table import show_jobs
from dashboard.jobs.totals_row import show_figures
from dashboard.open_job.panel import forget_other_job, show_job
from dashboard.open_job.review import show_review
from dashboard.session.admission import admitted
from dashboard.session.person import find_person
from dashboard.session.resources import Resources, get_resources
from dashboard.session.step_cache import keep


def show() -> None:
    """Run the page."""
    resources = get_resources()
    person = find_person(resources.settings)
    if person is None or Scope.JOB_READ not in person.scopes:
        st.stop()
    now = datetime.now(UTC)
    view = _read_address(now)
    zone = shown_zone(view)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title("Jobs", width="content")
        show_period(view, now)
        st.space("stretch")
        st.button("Refresh", icon=":material/refresh:", key="refresh", type="tertiary")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        show_form(view, person.wall)
        show_chips(view)
    show_form_error()
    st.caption(f"{describe(view.job_filter.range, zone)} Times in the file are UTC.")
    show_figures(view, now)
    bar, controls, list_place = st.container(), st.container(), st.container()
    with controls, st.container(horizontal=True, vertical_alignment="center"):
        texts = choose_texts(view, person, zone)
        if st.button("Review these", icon=":material/rate_review:", type="tertiary", key="review_these"):
            queue = replace(view, after=None, job=None, size=PAGE_SIZES[1])
            st.switch_page("reviews/page.py", query_params=queue.to_params())
        st.space("stretch")
        steps = st.empty()
    place = (replace(view, job=None), person.wall, texts)
    page, count = keep("list", place, view.job, lambda: _read_jobs(resources, person, view, texts))
    _record_look(resources, person, view, page, texts)
    with bar:
        show_downloads(view.job_filter, count)
    if view.job is None:
        with steps:
            show_steps(view, page, person.wall)
    with list_place:
        beside = None
        if view.job is not None:
            listed, beside = st.columns([1, 1], gap="medium")
        else:
            listed = st.container()
            forget_other_job(None)
        with listed:
            if page.rows:
                show_jobs(page.rows, zone, texts=texts, opened=view.job, on_open=lambda job: _open(view, job))
                _show_pager(view, page)
                show_progress(page, zone)
            elif page.searched_to is not None:
                _show_pager(view, page)
                show_progress(page, zone)
            elif view.after is None:
                show_nothing_found(view, person.wall)
            else:
                st.info("Nothing stands here any more: go back to the newest jobs.", icon=":material/search_off:")
                st.button(
                    "Newest", icon=":material/first_page:", on_click=admitted(go), args=(replace(view, after=None),)
                )
        if beside is not None and view.job is not None:
            with beside, st.container(border=True):
                show_steps(view, page, person.wall)
                show_job(view.job, zone, texts)
                show_review(view.job, zone)


def _read_address(now: datetime) -> View:
    """Parse the address; where it is wrong, say so and show the default view."""
    given = [(name, value) for name in st.query_params for value in st.query_params.get_all(name)]
    try:
        return parse_view(given, browser_zone(), now)
    except InvalidParameter as error:
        st.error("This address is not valid, so this is the default view.", icon=":material/link_off:")
        # The message may repeat what stood in the address: it is shown as text, never as Markdown.
        st.text(str(error))
        return default_view(browser_zone(), now)


def _open(view: View, job: UUID | None) -> None:
    go(replace(view, job=job))


def _read_jobs(resources: Resources, person: Actor, view: View, texts: Texts) -> tuple[Page, int | None]:
    """Read a page of jobs, and count them as far as COUNTED + 1, where that takes no longer than a search may."""
    source, timeout = resources.databases.source, resources.settings.fencepost_page_timeout
    access = make_access(resources.databases, person.wall)
    with source.transaction(timeout=timeout) as connection:
        page = page_jobs(connection, view.job_filter, access, after=view.after, limit=view.size, texts=texts)
        count = count_in_time(connection, view.job_filter, access, limit=COUNTED + 1)
    return page, count


def _record_look(resources: Resources, person: Actor, view: View, page: Page, texts: Texts) -> None:
    """Commit to the audit what is about to be shown, unless it is what this session was just shown.

    Where that fails nothing is shown: the error ends the page.
    """
    shown = (view.job_filter, view.after, texts, tuple(row.job_id for row in page.rows))
    if st.session_state.get("listed") == shown:
        return
    with_text = texts is not Texts.NONE and any(
        row._mapping[name] is not None for row in page.rows for name in ("prompt", "reason")
    )
    details = {"filter": view.job_filter.to_params(), "shown": len(page.rows), "text": with_text}
    if view.after is not None:
        details["after"] = view.to_params()["after"]
    record(resources.databases, Event.JOBS_LISTED, person, details=details)
    st.session_state["listed"] = shown


def _show_pager(view: View, page: Page) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
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
        st.selectbox("Jobs a page", PAGE_SIZES, key="size", on_change=admitted(_apply_size), args=(view,), width=140)


def _apply_size(view: View) -> None:
    go(replace(view, size=st.session_state["size"], after=None, job=None))


show()
