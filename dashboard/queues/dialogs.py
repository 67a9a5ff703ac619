"""Saves a filter as a queue that people share, changes such a queue, and closes it."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import streamlit as st

from core.actor import Actor
from core.jobs.filter import JobFilter
from core.jobs.filter_sentence import describe_filter
from core.review.participants import list_people
from core.review.queues import Queue
from core.review.saved_queues import (
    LONGEST_NAME,
    Settings,
    close_queue,
    edit_queue,
    find_queue,
    read_settings,
    save_queue,
)
from dashboard.address.zones import browser_zone
from dashboard.queues.sentences import QUEUES
from dashboard.session.admission import REVIEWERS, dialog
from dashboard.session.first_run import was_open
from dashboard.session.once import is_made, make_once
from dashboard.session.resources import get_resources
from dashboard.widgets.failure import refusals_in
from dashboard.widgets.onward import lead_on
from dashboard.widgets.people_select import ask_people_and_day
from dashboard.widgets.primary_button import emphasis

GONE = "This queue is closed: choose another one."
OLDEST, NEWEST = "Oldest first", "Newest first"


def show_save_button(person: Actor, job_filter: JobFilter, kind: Queue = Queue.NEW) -> None:
    """Offer to whoever may review to save the jobs of a filter as a queue."""
    if not person.scopes & REVIEWERS:
        return
    is_asked = st.button("Save as a queue", icon=":material/playlist_add:", type="tertiary", key="save_queue")
    if is_asked or was_open("new_queue_name"):
        save_dialog(job_filter, kind)


@dialog("Save as a queue", scopes=REVIEWERS, width="medium")
def save_dialog(person: Actor, job_filter: JobFilter, kind: Queue) -> None:
    """Ask what the queue is to be, save it, and go to it."""
    st.write("People review its jobs one after the other, on the Reviews page; no two people get the same job at once.")
    is_growing = job_filter.range.end > datetime.now(UTC)
    began = Settings(name="", job_filter=job_filter, kind=kind, is_growing=is_growing)
    settings = _ask(began, key="new_queue")
    refusal = st.container()
    if st.button("Save queue", type=emphasis(), icon=":material/playlist_add:", key="queue_save") or is_made():
        with refusals_in(refusal):
            queue_id = make_once(lambda: save_queue(get_resources().databases, person, settings))
            lead_on("reviews", "Review its jobs", {"queue": str(queue_id)})


@dialog("Edit this queue", scopes=REVIEWERS, width="medium")
def edit_dialog(person: Actor, queue_id: UUID) -> None:
    """Ask what is to be changed."""
    queue = find_queue(get_resources().databases, person, queue_id)
    if queue is None:
        st.info(GONE)
        return
    settings = _ask(read_settings(queue), key=f"queue_{queue_id}")
    refusal = st.container()
    if st.button("Save changes", type=emphasis(), icon=":material/save:", key="queue_edit"):
        with refusals_in(refusal):
            make_once(lambda: edit_queue(get_resources().databases, person, queue_id, settings))
            st.rerun()


@dialog("Close this queue?", scopes=REVIEWERS)
def close_dialog(person: Actor, queue_id: UUID) -> None:
    """Ask once more, then close it."""
    st.write("Nobody can review from it any more. Verdicts already given stay.")
    refusal = st.container()
    with st.container(horizontal=True):
        is_sure = st.button("Close queue", type=emphasis(), icon=":material/archive:", key="queue_close")
        if st.button("Keep it", key="queue_keep"):
            st.rerun()
    if is_sure:
        with refusals_in(refusal):
            make_once(lambda: close_queue(get_resources().databases, person, queue_id))
            st.switch_page("reviews/page.py")


def _ask(began: Settings, *, key: str) -> Settings:
    """Ask for all settings, beginning with some."""
    st.text(describe_filter(began.job_filter, longest=60, zone=browser_zone()))
    name = st.text_input("Name", began.name, max_chars=LONGEST_NAME, key=f"{key}_name", placeholder="What is it for?")
    is_growing = st.toggle("Include jobs that arrive later", value=began.is_growing, key=f"{key}_growing")
    kinds = list(QUEUES)
    kind = st.selectbox(
        "Which of these jobs", kinds, index=kinds.index(began.kind), format_func=QUEUES.__getitem__, key=f"{key}_kind"
    )
    first = int(not began.is_oldest_first)
    order = st.radio("Order", [OLDEST, NEWEST], index=first, horizontal=True, key=f"{key}_order")
    needs_note = st.toggle("A verdict needs a note", value=began.needs_note, key=f"{key}_note")
    needs_categories = st.toggle("A verdict needs categories", value=began.needs_categories, key=f"{key}_categories")
    people, last_day = ask_people_and_day(
        list_people(get_resources().databases.ours),
        key=key,
        label="To be done by (UTC)",
        meaning="It stays open after that day.",
        chosen=began.people,
        last_day=began.last_day,
    )
    return replace(
        began,
        name=name,
        is_growing=is_growing,
        kind=kind,
        is_oldest_first=order == OLDEST,
        needs_note=needs_note,
        needs_categories=needs_categories,
        people=people,
        last_day=last_day,
    )
