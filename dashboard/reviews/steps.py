"""A look at the page of reviews, and the steps from job to job: each claims a job, and leaves another to others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import streamlit as st
from sqlalchemy import Row

from core.actor import Actor
from core.errors import QueryTooSlow
from core.review.claims import release_claim, renew_claim
from core.review.known_jobs import claim_known
from core.review.queues import Queue, claim_next
from dashboard.address.view import View
from dashboard.open_job.showing import is_shown, leave_showing
from dashboard.reviews.address import Place, go_to
from dashboard.reviews.walk import Walk
from dashboard.session.resources import Resources

# What is to be said where there is no job.
SAID = "queue_said"


@dataclass(frozen=True, slots=True)
class Room:
    """What one run of the page is about: the jobs, the queue and the order, and which showing of a job."""

    resources: Resources
    place: Place
    walk: Walk
    showing: str
    # Those that people share and that this person may see, and the one of them that is open.
    shared: Sequence[Row[Any]] = ()
    saved: Row[Any] | None = None

    @property
    def view(self) -> View:
        return self.place.view

    def go(self, job: UUID | None) -> None:
        go_to(self.place, job)


def step_on(person: Actor, room: Room, none: str) -> None:
    """Go on from the job that is on screen; `none` is said where nothing comes."""
    if is_shown(room.showing):
        advance(person, room, none)
        leave_showing()


def step_back(person: Actor, room: Room) -> None:
    """Open the job before once more."""
    earlier = room.walk.before(room.view.job)
    if not is_shown(room.showing) or earlier is None:
        return
    _release(person, room)
    room.go(earlier)
    leave_showing()


def stop(person: Actor, room: Room) -> None:
    """Close the job, and leave it to others."""
    if not is_shown(room.showing):
        return
    _release(person, room)
    room.go(None)
    leave_showing()


def advance(person: Actor, room: Room, none: str) -> None:
    """Open the job that comes after the open one, or claim the next, and leave the open one to others."""
    walk, job = room.walk, room.view.job
    walk.count_time()
    if job is not None and job not in walk.jobs:
        walk.open(job)
    ours = room.resources.databases.ours
    again = next((later for later in walk.following(job) if renew_claim(ours, person, later)), None)
    following = _claim_next(person, room, none) if again is None else again
    _release(person, room)
    room.go(following)


def _claim_next(person: Actor, room: Room, none: str) -> UUID | None:
    """Claim the next job of the queue, or say that there is none."""
    walk, place = room.walk, room.place
    databases, timeout = room.resources.databases, room.resources.settings.fencepost_page_timeout
    try:
        known = claim_known(databases, person, room.view.job_filter, leaving=room.view.job, timeout=timeout)
        if known is not None:
            walk.open(known)
            return known
        walk.turn += 1
        found = claim_next(
            databases,
            person,
            room.view.job_filter,
            place.queue,
            after=None if place.is_sampled else walk.after,
            sample=walk.turn if place.is_sampled and place.queue is Queue.NEW else None,
            leaving=room.view.job,
            is_oldest_first=None if room.saved is None else room.saved.is_oldest_first,
            timeout=timeout,
        )
    except QueryTooSlow as error:
        st.session_state[SAID] = str(error)
        return None
    if found is None:
        st.session_state[SAID] = f"{none} in this queue for this filter."
        return None
    walk.after = found.after
    walk.open(found.job_id)
    return found.job_id


def _release(person: Actor, room: Room) -> None:
    if room.view.job is not None:
        release_claim(room.resources.databases.ours, person, room.view.job)
