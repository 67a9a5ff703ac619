"""Reviews: one job after the other from a queue, each claimed so that nobody else is at it."""

from typing import Any

import streamlit as st

from core.actor import Actor, Scope
from core.auth.preferences import read_preference
from core.errors import QueryTooSlow
from core.jobs.filter_sentence import describe_filter
from core.jobs.hidden_text import HIDING, parse_texts
from core.jobs.query import PageKey
from core.review.claims import release_claim, renew_claim
from core.review.queues import Queue, claim_next
from dashboard.address.view import View
from dashboard.address.zones import shown_zone
from dashboard.open_job.panel import forget_other_job, show_job
from dashboard.open_job.review import ACTS, say_act, show_review, show_take_back
from dashboard.open_job.showing import is_shown, leave_showing, name_showing
from dashboard.reviews.address import QUEUES, go_to, params_of_jobs, read_address
from dashboard.reviews.claim_notice import watch_claim
from dashboard.session.admission import admitted, as_person
from dashboard.session.person import find_person
from dashboard.session.resources import Resources, get_resources
from dashboard.widgets.primary_button import emphasis


def show() -> None:
    """Run the page."""
    resources = get_resources()
    person = find_person(resources.settings)
    if person is None or Scope.JOB_READ not in person.scopes:
        st.stop()
    st.title("Reviews")
    view, queue, is_sampled = read_address()
    showing = name_showing(view.job)
    st.session_state["queue"], st.session_state["sampled"] = queue, is_sampled

    def choose() -> None:
        go_to(view, st.session_state["queue"], st.session_state["sampled"], None)
        leave_showing()

    # By itself, because within a row it would not wrap on a narrow screen.
    st.segmented_control(
        "Queue",
        list(QUEUES),
        key="queue",
        format_func=QUEUES.__getitem__,
        label_visibility="collapsed",
        required=True,
        on_change=admitted(choose),
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.toggle(
            "Evenly over time",
            key="sampled",
            disabled=queue is not Queue.NEW,
            help="Takes jobs from all parts of the range in turn, in place of the newest first.",
            on_change=admitted(choose),
        )
        st.page_link(
            "jobs/page.py", label="Choose other jobs", icon=":material/filter_alt:", query_params=params_of_jobs(view)
        )
    st.text(describe_filter(view.job_filter, longest=60))

    def advance(person: Actor) -> None:
        _advance(resources, person, view, queue, is_sampled, "Nothing is left")

    def skip(person: Actor, showing: str, none: str) -> None:
        if not is_shown(showing):
            return
        _advance(resources, person, view, queue, is_sampled, none)
        leave_showing()

    if view.job is None:
        forget_other_job(None)
        say_act()
        with st.container(horizontal=True, vertical_alignment="center"):
            icon = ":material/play_arrow:"
            st.button(
                "Start",
                type=emphasis(),
                icon=icon,
                shortcut="J",
                key=f"start_{showing}",
                on_click=as_person(skip),
                args=(showing, "Nothing is left"),
            )
            if st.session_state.get(ACTS):
                show_take_back(resources, person, None)
        _show_said()
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Skip",
            shortcut="J",
            key=f"skip_{showing}",
            type="tertiary",
            on_click=as_person(skip),
            args=(showing, "Nothing else is left"),
        )
        stop = (showing, resources, view, queue, is_sampled)
        st.button("Stop", shortcut="Esc", key=f"stop_{showing}", type="tertiary", on_click=as_person(_stop), args=stop)
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
            watch_claim(view.job)
    with right, st.container(border=True):
        show_review(view.job, zone, advance)


def _stop(person: Actor, showing: str, resources: Resources, view: View, queue: Queue, is_sampled: bool) -> None:
    """Close the job, and leave it to others."""
    if not is_shown(showing):
        return
    if view.job is not None:
        release_claim(resources.databases.ours, person, view.job)
    go_to(view, queue, is_sampled, None)
    leave_showing()


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
    go_to(view, queue, is_sampled, None if found is None else found.job_id)


def _show_said() -> None:
    said = st.session_state.pop("queue_said", None)
    if said is not None:
        st.info(said, icon=":material/done_all:")


show()
