"""What stands beside the job: the queues with what each holds, the order, and which jobs they are of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import streamlit as st
from sqlalchemy import Row

from core.actor import Actor
from core.instants import in_zone
from core.jobs.filter_sentence import describe_filter
from core.review.queues import Queue
from core.review.saved_queues import LONGEST_NAME, may_change, read_settings
from dashboard.address.zones import shown_zone
from dashboard.queues.dialogs import close_dialog, edit_dialog, show_save_button
from dashboard.queues.sentences import QUEUES, say_settings
from dashboard.reviews.address import Place
from dashboard.reviews.queue_counts import Count, Held
from dashboard.session.admission import admitted
from dashboard.widgets.markdown_escape import escape

# What a queue holds, by its kind or by the id of a shared one.
Counts = Mapping[Queue | UUID, Held]


def show_controls(
    place: Place, saved: Sequence[Row[Any]], person: Actor, counts: Counts, on_choose: Callable[[Place], None]
) -> None:
    """Show which queue, in which order, of which jobs; `on_choose` is called with another queue or order."""
    names = {queue.queue_id: escape(queue.name, longest=LONGEST_NAME) for queue in saved} | QUEUES
    zone = shown_zone(place.view)
    st.session_state["queue"], st.session_state["sampled"] = place.saved or place.queue, place.is_sampled

    def choose() -> None:
        chosen: Queue | UUID = st.session_state["queue"]
        if isinstance(chosen, UUID):
            on_choose(replace(place, saved=chosen))
        else:
            on_choose(Place(place.view, chosen, st.session_state["sampled"]))

    st.radio(
        "Queue",
        list(names),
        key="queue",
        format_func=names.__getitem__,
        captions=[name_held(counts.get(item), zone) for item in names],
        on_change=admitted(choose),
    )
    opened = next((queue for queue in saved if queue.queue_id == place.saved), None)
    if opened is None:
        st.toggle(
            "Across the period",
            key="sampled",
            disabled=place.queue is not Queue.NEW,
            help="Takes jobs from all parts of the period in turn, instead of the newest first.",
            on_change=admitted(choose),
        )
    st.caption("Of these jobs")
    st.text(describe_filter(place.view.job_filter, longest=60, zone=zone))
    if opened is not None:
        _show_opened(opened, person)
        return
    params = replace(place.view, job=None, after=None).to_params()
    st.page_link("jobs/page.py", label="Choose other jobs", icon=":material/filter_alt:", query_params=params)
    show_save_button(person, place.view.job_filter, place.queue)


def _show_opened(queue: Row[Any], person: Actor) -> None:
    """Say what a shared queue asks for, and let its owner or an admin change it."""
    st.caption(say_settings(read_settings(queue)))
    if not may_change(queue, person):
        return
    with st.container(horizontal=True, gap="small"):
        if st.button("Edit", icon=":material/edit:", type="tertiary", key="edit_queue"):
            edit_dialog(queue.queue_id)
        if st.button("Close", icon=":material/archive:", type="tertiary", key="close_queue"):
            close_dialog(queue.queue_id)


def name_held(held: Held | None, zone: ZoneInfo) -> str:
    """Say how many jobs a queue holds, since when the oldest waits, and at what pace it is reviewed."""
    if held is None:
        return name_count(None)
    said = [name_count(held.count)]
    if held.since is not None:
        said.append(f"oldest {_name_day(held.since, zone)}")
    if held.lately is not None:
        said.append(f"{held.lately:,} reviewed in 7 days")
    return " · ".join(said)


def name_count(count: Count | None) -> str:
    """Say how many jobs a queue holds; nothing where that is not known."""
    if count is None:
        return "\N{EN DASH}"
    return "1 job" if count == Count(1) else f"{count} jobs"


def _name_day(instant: datetime, zone: ZoneInfo) -> str:
    local = in_zone(instant, zone)
    return f"{local.day} {local:%b} {local.year}"
