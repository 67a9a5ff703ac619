"""Reviews: one job after the other from a queue, each claimed so that nobody else is at it."""

import time as clock
from functools import partial
from uuid import UUID

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.actor import Actor, Scope
from core.auth.preferences import read_preference
from core.jobs.hidden_text import HIDING, Texts, parse_texts
from core.review.claims import renew_claim
from core.review.queues import Queue
from dashboard.address.zones import shown_zone
from dashboard.open_job.panel import forget_other_job, show_open_job
from dashboard.open_job.review import ACTS, say_act, show_take_back
from dashboard.open_job.showing import leave_showing, name_showing
from dashboard.reviews.address import QUEUES, go_to, read_address
from dashboard.reviews.claim_notice import watch_claim
from dashboard.reviews.controls import Counts, name_count, show_controls
from dashboard.reviews.queue_counts import Count, count_queues
from dashboard.reviews.steps import SAID, Room, advance, step_back, step_on, stop
from dashboard.reviews.walk import find_walk
from dashboard.samples.queues import show_sample_queues
from dashboard.session.admission import as_person
from dashboard.session.person import find_person
from dashboard.session.resources import Resources, get_resources
from dashboard.widgets.primary_button import emphasis
from dashboard.widgets.window import Window, read_window

# Pixels above an open job.
ABOVE_JOB = 168

# How what stands beside the job shares the width with it.
SHARES = (2, 7)

# Seconds for which what the queues hold is not counted again; one's own verdicts are known without.
COUNTED_FOR = 60

COUNTS = "queue_counts"


def show() -> None:
    """Run the page."""
    resources = get_resources()
    person = find_person(resources.settings)
    if person is None or Scope.JOB_READ not in person.scopes:
        st.stop()
    view, queue, is_sampled = read_address()
    walk = find_walk((view.job_filter, queue, is_sampled, person.wall))
    room = Room(resources, view, queue, is_sampled, walk, name_showing(view.job))
    with st.container(gap="xsmall"):
        window = read_window()
        if window.is_wide:
            beside, place = st.columns(SHARES, gap="medium")
        else:
            beside, place = st.container(), st.container()
        with place:
            if room.view.job is None:
                forget_other_job(None)
                _show_entrance(room, person)
            else:
                _show_job(room, person, room.view.job, window, notice=beside if window.is_wide else None)
        # Last, because a job is not to wait until everything is counted.
        counts = _count(room, person)
        with beside:
            if window.is_wide:
                _show_controls(room, person, counts)
            else:
                held = name_count(counts.get(room.queue))
                with st.popover(f"{QUEUES[room.queue]} · {held}", icon=":material/inbox:", key="queues"):
                    _show_controls(room, person, counts)


def _show_entrance(room: Room, person: Actor) -> None:
    """Show where somebody begins, or has come to the end."""
    say_act()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Start",
            type=emphasis(),
            icon=":material/play_arrow:",
            shortcut="J",
            key=f"start_{room.showing}",
            on_click=as_person(step_on),
            args=(room, "Nothing is left"),
        )
        if room.walk.jobs:
            _show_back(room)
        if st.session_state.get(ACTS):
            show_take_back(room.resources, person, None)
        if room.walk.jobs:
            st.text(room.walk.say(None), width="content")
    said = st.session_state.pop(SAID, None)
    if said is not None:
        st.info(said, icon=":material/done_all:")


def _show_job(room: Room, person: Actor, job_id: UUID, window: Window, *, notice: DeltaGenerator | None) -> None:
    """Show the open job, how far one is, and the steps to others."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(room.walk.say(job_id), width="content")
        st.space("stretch")
        with st.container(horizontal=True, gap="small", width="content"):
            _show_back(room)
            st.button(
                "Next",
                shortcut="J",
                key=f"skip_{room.showing}",
                type="tertiary",
                help="Without a verdict: the job is skipped.",
                on_click=as_person(step_on),
                args=(room, "Nothing else is left"),
            )
            st.button(
                "Stop",
                shortcut="Esc",
                key=f"stop_{room.showing}",
                type="tertiary",
                on_click=as_person(stop),
                args=(room,),
            )
    notice = notice or st.container()
    height = window.height - ABOVE_JOB
    texts = _chosen_texts(room.resources, person)
    job = show_open_job(
        job_id,
        shown_zone(room.view),
        texts,
        height=height,
        on_done=partial(advance, room=room, none="Nothing is left"),
    )
    if job is not None and job.is_prohibited is not None:
        renew_claim(room.resources.databases.ours, person, job_id)
        with notice:
            watch_claim(job_id)


def _show_back(room: Room) -> None:
    st.button(
        "Previous",
        shortcut="K",
        key=f"back_{room.showing}",
        type="tertiary",
        disabled=room.walk.before(room.view.job) is None,
        on_click=as_person(step_back),
        args=(room,),
    )


def _chosen_texts(resources: Resources, person: Actor) -> Texts:
    if HIDING not in st.session_state:
        st.session_state[HIDING] = parse_texts(read_preference(resources.databases.ours, person, HIDING))
    chosen: Texts = st.session_state[HIDING]
    return chosen


def _show_controls(room: Room, person: Actor, counts: Counts) -> None:
    def choose(queue: Queue, is_sampled: bool) -> None:
        go_to(room.view, queue, is_sampled, None)
        leave_showing()

    show_controls(room.view, room.queue, room.is_sampled, counts, choose)
    show_sample_queues(room.resources, person)


def _count(room: Room, person: Actor) -> Counts:
    """Count what the queues hold, at most once a minute, and say it less what was judged since."""
    asked, now = (room.view.job_filter, person.wall), clock.monotonic()
    kept: tuple[object, float, Counts] | None = st.session_state.get(COUNTS)
    done = room.walk.count_done()
    if kept is None or kept[0] != asked or now - kept[1] > COUNTED_FOR or room.walk.total is None:
        found = count_queues(room.resources, person, room.view.job_filter)
        held = found[room.queue]
        room.walk.total = None if held is None else Count(held.jobs + done, held.is_exact)
        kept = (asked, now, found)
        st.session_state[COUNTS] = kept
    total = room.walk.total
    if total is None or not total.is_exact:
        return kept[2]
    return kept[2] | {room.queue: Count(max(0, total.jobs - done))}


show()
