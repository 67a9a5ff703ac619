"""Reviews: one job after the other from a queue, each claimed so that nobody else is at it."""

import time as clock
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.actor import Actor, Scope
from core.review.claims import renew_claim
from core.review.queues import Queue
from core.review.saved_queues import filter_now, list_queues, may_judge, read_settings
from dashboard.address.steps import follow_last_step
from dashboard.address.zones import shown_zone
from dashboard.open_job.conduct import Conduct, keep_conduct
from dashboard.open_job.panel import forget_other_job, show_open_job
from dashboard.open_job.review import ACTS, say_act, show_take_back
from dashboard.open_job.showing import is_shown, leave_showing, name_showing
from dashboard.queues.sentences import QUEUES
from dashboard.reviews.address import Place, go_to, read_address
from dashboard.reviews.claim_notice import watch_claim
from dashboard.reviews.controls import Counts, name_count, show_controls
from dashboard.reviews.queue_counts import Count, Held, count_queues, count_saved
from dashboard.reviews.steps import SAID, Room, advance, step_back, step_on, stop
from dashboard.reviews.walk import find_walk
from dashboard.reviews.week_dialog import week_dialog
from dashboard.samples.queues import show_sample_queues
from dashboard.session.admission import REVIEWERS, as_person
from dashboard.session.default_texts import get_default_texts
from dashboard.session.person import find_person
from dashboard.session.resources import Resources, get_resources
from dashboard.widgets.markdown_escape import escape
from dashboard.widgets.primary_button import emphasis
from dashboard.widgets.window import Window, read_window

# Pixels above an open job.
ABOVE_JOB = 168

# How what stands beside the job shares the width with it.
SHARES = (2, 7)

# Seconds for which what the queues hold is not counted again; one's own verdicts are known without.
COUNTED_FOR = 60

COUNTS = "queue_counts"

NOT_FOUND = "This queue is closed, or not for you: choose another one, or ask whoever sent the address."
NOT_YOURS = "You do not take part in this queue: ask who owns it."


def show() -> None:
    """Run the page."""
    resources = get_resources()
    person = find_person(resources.settings)
    if person is None or Scope.JOB_REVIEW not in person.scopes:
        st.stop()
    room = _enter(resources, person)
    with st.container(gap="xsmall"):
        window = read_window()
        if window.is_wide:
            beside, place = st.columns(SHARES, gap="medium")
        else:
            beside, place = st.container(), st.container()
        with place:
            if room.view.job is None or not _may_judge(room, person):
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
                held = counts.get(room.place.saved or room.place.queue, Held(None))
                name = QUEUES[room.place.queue] if room.saved is None else escape(room.saved.name)
                with st.popover(f"{name} · {name_count(held.count)}", icon=":material/inbox:", key="queues"):
                    _show_controls(room, person, counts)


def _enter(resources: Resources, person: Actor) -> Room:
    """Find what the address asks for; where it names no queue that there is, say so."""
    place = read_address()
    shared = list_queues(resources.databases, person)
    saved = next((queue for queue in shared if queue.queue_id == place.saved), None)
    order: object = place.is_sampled
    if saved is not None:
        settings = read_settings(saved)
        view = replace(place.view, job_filter=filter_now(settings, datetime.now(UTC)), preset=None)
        place, order = replace(place, view=view, queue=settings.kind), (saved.queue_id, settings.is_oldest_first)
    elif place.saved is not None:
        st.info(NOT_FOUND, icon=":material/search_off:")
        place = replace(place, saved=None)
    walk = find_walk((place.view.job_filter, place.queue, order, person.wall))
    return Room(resources, place, walk, name_showing(place.view.job), shared, saved)


def _may_judge(room: Room, person: Actor) -> bool:
    return room.saved is None or may_judge(room.saved, person)


def _show_entrance(room: Room, person: Actor) -> None:
    """Show where somebody begins, or has come to the end."""
    keep_conduct(None)
    say_act()
    if not _may_judge(room, person):
        st.info(NOT_YOURS, icon=":material/lock:")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Start",
            type=emphasis(),
            icon=":material/play_arrow:",
            shortcut="J",
            key=f"start_{room.showing}",
            on_click=as_person(_start, REVIEWERS),
            args=(room.showing,),
        )
        if room.walk.jobs:
            _show_back(room)
        if st.session_state.get(ACTS):
            show_take_back(room.resources, person, None, None)
        if room.walk.jobs:
            st.text(room.walk.say(None), width="content")
    if not room.walk.jobs:
        st.caption("Start opens the first job. Each verdict leads to the next one, by its button or its key.")
    said = st.session_state.pop(SAID, None)
    if said is not None:
        st.info(said, icon=":material/done_all:")


def _start(person: Actor, showing: str) -> None:
    """Open the first job of the queue that is chosen by now: the button may have been drawn for the one before."""
    if not is_shown(showing):
        return
    follow_last_step()
    room = _enter(get_resources(), person)
    if room.showing == showing and _may_judge(room, person):
        step_on(person, room, "Nothing is left")


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
                on_click=as_person(step_on, REVIEWERS),
                args=(room, "Nothing else is left"),
            )
            st.button(
                "Stop",
                shortcut="Esc",
                key=f"stop_{room.showing}",
                type="tertiary",
                on_click=as_person(stop, REVIEWERS),
                args=(room,),
            )
    notice = notice or st.container()
    height = window.height - ABOVE_JOB
    texts = get_default_texts(person)
    keep_conduct(None if room.saved is None else Conduct(job_id, queue=room.saved.queue_id))
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
        on_click=as_person(step_back, REVIEWERS),
        args=(room,),
    )


def _show_controls(room: Room, person: Actor, counts: Counts) -> None:
    def choose(place: Place) -> None:
        go_to(place, None)
        # Where no job is open, what is pressed next is meant for this choice.
        if room.view.job is not None:
            leave_showing()

    show_controls(room.place, room.shared, person, counts, choose)
    show_sample_queues(room.resources, person)
    if Scope.ADMIN_CONFIG in person.scopes and st.button(
        "Who did what this week", icon=":material/groups:", type="tertiary", key="open_week"
    ):
        week_dialog(shown_zone(room.view))


def _count(room: Room, person: Actor) -> Counts:
    """Count what the queues hold, at most once a minute, and say it less what was judged since."""
    now, chosen = clock.monotonic(), room.place.saved or room.place.queue
    asked = (room.view.job_filter, person.wall, tuple(room.shared))
    kept: tuple[object, float, Counts] | None = st.session_state.get(COUNTS)
    done = room.walk.count_done()
    if kept is None or kept[0] != asked or now - kept[1] > COUNTED_FOR or room.walk.total is None:
        kinds = count_queues(room.resources, person, room.view.job_filter)
        counts: dict[Queue | UUID, Held] = {kind: Held(count) for kind, count in kinds.items()}
        counts.update(count_saved(room.resources, person, room.shared, datetime.now(UTC)))
        held = counts.get(chosen, Held(None)).count
        room.walk.total = None if held is None else Count(held.jobs + done, held.is_exact)
        kept = (asked, now, counts)
        st.session_state[COUNTS] = kept
    total = room.walk.total
    if total is None or not total.is_exact:
        return kept[2]
    left = replace(kept[2].get(chosen, Held(None)), count=Count(max(0, total.jobs - done)))
    return {**kept[2], chosen: left}


show()
