"""Reviews: one job after the other from a queue, each claimed so that nobody else is at it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import streamlit as st

from core.actor import Actor, Scope
from core.auth.preferences import read_preference
from core.errors import InvalidParameter, QueryTooSlow
from core.jobs.filter_sentence import describe_filter
from core.jobs.hidden_text import HIDING, parse_texts
from core.jobs.query import PageKey
from core.review.queues import CLAIM, Queue, claim_next, find_holder, release_claim, renew_claim
from dashboard.address.view import View, default_view, parse_view
from dashboard.address.zones import browser_zone, shown_zone
from dashboard.open_job.panel import forget_other_job, show_job
from dashboard.open_job.review import ACTS, say_act, show_review, show_take_back
from dashboard.session.person import find_person
from dashboard.session.resources import Resources, get_resources
from dashboard.widgets.primary_button import emphasis

QUEUES = {
    Queue.NEW: "Not reviewed yet",
    Queue.SECOND: "Second opinion",
    Queue.DISAGREED: "Two disagree",
    Queue.ESCALATED: "Escalated",
}

# Seconds between two looks at whether the open job is still kept for this person.
LOOKED = 30


def show() -> None:
    """Run the page."""
    resources = get_resources()
    person = find_person(resources.settings)
    if person is None or Scope.JOB_READ not in person.scopes:
        st.stop()
    st.title("Reviews")
    view, queue, is_sampled = _read_address()
    st.session_state["queue"], st.session_state["sampled"] = queue, is_sampled
    # By itself, because within a row it would not wrap on a narrow screen.
    st.segmented_control(
        "Queue",
        list(QUEUES),
        key="queue",
        format_func=QUEUES.__getitem__,
        label_visibility="collapsed",
        required=True,
        on_change=lambda: _go(view, st.session_state["queue"], st.session_state["sampled"], None),
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.toggle(
            "Evenly over time",
            key="sampled",
            disabled=queue is not Queue.NEW,
            help="Takes jobs from all parts of the range in turn, in place of the newest first.",
            on_change=lambda: _go(view, st.session_state["queue"], st.session_state["sampled"], None),
        )
        st.page_link(
            "jobs/page.py", label="Choose other jobs", icon=":material/filter_alt:", query_params=_of_jobs(view)
        )
    st.text(describe_filter(view.job_filter, longest=60))

    def advance() -> None:
        _advance(resources, person, view, queue, is_sampled, "Nothing is left")

    def skip() -> None:
        _advance(resources, person, view, queue, is_sampled, "Nothing else is left")

    if view.job is None:
        forget_other_job(None)
        say_act()
        with st.container(horizontal=True, vertical_alignment="center"):
            icon = ":material/play_arrow:"
            st.button("Start", type=emphasis(), icon=icon, shortcut="J", key="start", on_click=advance)
            if st.session_state.get(ACTS):
                show_take_back(resources, person, None)
        _show_said()
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Skip", shortcut="J", key="skip", type="tertiary", on_click=skip)
        stop = (resources, person, view, queue, is_sampled)
        st.button("Stop", shortcut="Esc", key="stop", type="tertiary", on_click=_stop, args=stop)
    notice = st.container()
    if HIDING not in st.session_state:
        st.session_state[HIDING] = parse_texts(read_preference(resources.databases.ours, person, HIDING))
    zone = shown_zone(view)
    left, right = st.columns([3, 2], gap="medium")
    with left, st.container(border=True):
        job = show_job(view.job, zone, st.session_state[HIDING])
    if job is None:
        return
    if job.is_prohibited is not None:
        renew_claim(resources.databases.ours, person, view.job)
        with notice:
            _watch_claim(view.job)
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


def _stop(resources: Resources, person: Actor, view: View, queue: Queue, is_sampled: bool) -> None:
    """Close the job, and leave it to others."""
    if view.job is not None:
        release_claim(resources.databases.ours, person, view.job)
    _go(view, queue, is_sampled, None)


def _advance(resources: Resources, person: Actor, view: View, queue: Queue, is_sampled: bool, none: str) -> None:
    """Claim the next job, and leave the one that is open to others."""
    databases = resources.databases
    place: dict[str, Any] = st.session_state.setdefault("queue_place", {})
    asked = (view.job_filter, queue, is_sampled)
    if place.get("asked") != asked:
        place.clear()
        place.update(asked=asked, after=None, turn=0)
    after: PageKey | None = place["after"]
    place["turn"] += 1
    try:
        found = claim_next(
            databases,
            person,
            view.job_filter,
            queue,
            after=None if is_sampled else after,
            sample=place["turn"] if is_sampled and queue is Queue.NEW else None,
            leaving=view.job,
            timeout=resources.settings.fencepost_page_timeout,
        )
    except QueryTooSlow as error:
        found = None
        st.session_state["queue_said"] = str(error)
    else:
        if found is None:
            st.session_state["queue_said"] = f"{none} in this queue for this filter."
    if found is not None:
        place["after"] = found.after
    if view.job is not None:
        release_claim(databases.ours, person, view.job)
    _go(view, queue, is_sampled, None if found is None else found.job_id)


def _show_said() -> None:
    said = st.session_state.pop("queue_said", None)
    if said is not None:
        st.info(said, icon=":material/done_all:")


@st.fragment(run_every=LOOKED)
def _watch_claim(job_id: UUID) -> None:
    """Say so where the job is not kept for this person any more."""
    resources = get_resources()
    person = find_person(resources.settings)
    if person is None:
        return
    holder = find_holder(resources.databases.ours, job_id)
    if holder == person.name:
        return
    if holder is not None:
        st.warning("Somebody else is at this job: skip it, or expect two reviews.", icon=":material/group:")
        return
    minutes = CLAIM.seconds // 60
    st.warning(
        f"Nothing happened here for {minutes} minutes, so others may get this job now.", icon=":material/timer_off:"
    )
    st.button("Keep it for me", key="keep_claim", on_click=_keep_claim, args=(resources, person, job_id))


def _keep_claim(resources: Resources, person: Actor, job_id: UUID) -> None:
    renew_claim(resources.databases.ours, person, job_id)


show()
