"""Reviews: one job after the other from a queue, each claimed so that nobody else is at it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import streamlit as st

from core.access import Actor, Scope
from core.errors import InvalidParameter
from core.filter_sentence import describe_filter
from core.hiding import HIDING, parse_texts
from core.preferences import read_preference
from core.query import PageKey
from core.review_queue import Queue, claim_next, release_claim, renew_claim
from dashboard.address import View, default_view, parse_view
from dashboard.job_panel import forget_other_job, show_job
from dashboard.people import find_person
from dashboard.resources import Resources, get_resources
from dashboard.review_panel import show_review
from dashboard.zones import browser_zone, shown_zone

QUEUES = {
    Queue.NEW: "Not reviewed yet",
    Queue.DISAGREED: "Two disagree",
    Queue.ESCALATED: "Escalated",
}

# Seconds between two renewals of a claim.
RENEWED = 60


def show() -> None:
    """Run the page."""
    resources = get_resources()
    person = find_person(resources.settings)
    if person is None or Scope.JOB_READ not in person.scopes:
        st.stop()
    st.title("Reviews")
    view, queue, is_sampled = _read_address()
    st.session_state["queue"], st.session_state["sampled"] = queue, is_sampled
    with st.container(horizontal=True, vertical_alignment="center"):
        st.segmented_control(
            "Queue",
            list(QUEUES),
            key="queue",
            format_func=QUEUES.__getitem__,
            label_visibility="collapsed",
            required=True,
            on_change=lambda: _go(view, st.session_state["queue"], st.session_state["sampled"], None),
        )
        st.toggle(
            "Evenly over time",
            key="sampled",
            disabled=queue is not Queue.NEW,
            help="Takes jobs from all parts of the range in turn, in place of the newest first.",
            on_change=lambda: _go(view, st.session_state["queue"], st.session_state["sampled"], None),
        )
        st.page_link(
            "views/jobs.py", label="Choose other jobs", icon=":material/filter_alt:", query_params=_of_jobs(view)
        )
    st.text(describe_filter(view.job_filter, longest=60))

    def advance() -> None:
        _advance(resources, person, view, queue, is_sampled)

    if view.job is None:
        forget_other_job(None)
        st.button("Start", type="primary", icon=":material/play_arrow:", shortcut="J", key="start", on_click=advance)
        if st.session_state.pop("queue_empty", False):
            st.info("Nothing is left in this queue for this filter.", icon=":material/done_all:")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Skip", shortcut="J", key="skip", type="tertiary", on_click=advance)
        stop = (view, queue, is_sampled, None)
        st.button("Stop", shortcut="Esc", key="stop", type="tertiary", on_click=_go, args=stop)
    _keep_claim(view.job)
    if HIDING not in st.session_state:
        st.session_state[HIDING] = parse_texts(read_preference(resources.databases.ours, person, HIDING))
    zone = shown_zone(view)
    left, right = st.columns([3, 2], gap="medium")
    with left, st.container(border=True):
        show_job(view.job, zone, st.session_state[HIDING])
    with right, st.container(border=True):
        show_review(view.job, zone, advance)


def _read_address() -> tuple[View, Queue, bool]:
    """Parse the address; where it is wrong, say so and show the default view."""
    given = [(name, value) for name in st.query_params for value in st.query_params.get_all(name)]
    others = [(name, value) for name, value in given if name not in ("queue", "sampled")]
    own = {name: value for name, value in given if name in ("queue", "sampled")}
    now = datetime.now(UTC)
    try:
        if own.get("queue", Queue.NEW) not in set(Queue) or own.get("sampled", "true") != "true":
            raise InvalidParameter(f"queue takes {', '.join(Queue)}, and sampled takes true.")
        return parse_view(others, browser_zone(), now), Queue(own.get("queue", Queue.NEW)), "sampled" in own
    except InvalidParameter as error:
        st.error("This address is not valid, so this is the default view.", icon=":material/link_off:")
        st.text(str(error))
        return default_view(browser_zone(), now), Queue.NEW, False


def _of_jobs(view: View) -> dict[str, str]:
    return replace(view, job=None, after=None).to_params()


def _go(view: View, queue: Queue, is_sampled: bool, job: UUID | None) -> None:
    params = replace(view, job=job, after=None).to_params()
    if queue is not Queue.NEW:
        params["queue"] = queue.value
    if is_sampled and queue is Queue.NEW:
        params["sampled"] = "true"
    st.query_params.from_dict(params)


def _advance(resources: Resources, person: Actor, view: View, queue: Queue, is_sampled: bool) -> None:
    """Leave the job that is open to others, and claim the next one."""
    databases = resources.databases
    place: dict[str, Any] = st.session_state.setdefault("queue_place", {})
    asked = (view.job_filter, queue, is_sampled)
    if place.get("asked") != asked:
        place.clear()
        place.update(asked=asked, after=None, turn=0)
    after: PageKey | None = place["after"]
    place["turn"] += 1
    found = claim_next(
        databases,
        person,
        view.job_filter,
        queue,
        after=None if is_sampled else after,
        sample=place["turn"] if is_sampled else None,
        timeout=resources.settings.fencepost_page_timeout,
    )
    if view.job is not None:
        release_claim(databases.ours, person, view.job)
    if found is None or found.job_id == view.job:
        st.session_state["queue_empty"] = True
        _go(view, queue, is_sampled, None)
        return
    place["after"] = found.after
    _go(view, queue, is_sampled, found.job_id)


@st.fragment(run_every=RENEWED)
def _keep_claim(job_id: UUID) -> None:
    """Keep the job while the page is open; say so where somebody else has it."""
    resources = get_resources()
    person = find_person(resources.settings)
    if person is not None and not renew_claim(resources.databases.ours, person, job_id):
        st.warning("Somebody else is at this job: skip it, or expect two reviews.", icon=":material/group:")


show()
