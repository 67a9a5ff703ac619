"""Somebody's way through a queue: which jobs they have opened, in which order, and how far they are."""

import time as clock
from dataclasses import dataclass, field
from uuid import UUID

import streamlit as st

from core.jobs.query import PageKey
from dashboard.open_job.review import ACTS
from dashboard.reviews.queue_counts import Count

# Verdicts after which a pace is said, and seconds after which somebody has done something else meanwhile.
FEWEST, PAUSE = 3, 300

_WALK = "queue_walk"


@dataclass(slots=True)
class Walk:
    """A way through what was asked for: a filter, a queue and an order.

    `after` and `turn` say where the search for the next job goes on. `active` counts seconds without pauses.
    """

    asked: object
    jobs: list[UUID] = field(default_factory=list)
    after: PageKey | None = None
    turn: int = 0
    active: float = 0
    last: float | None = None
    # What the queue held when the way began, those that were judged since included.
    total: Count | None = None

    def open(self, job: UUID) -> None:
        """Go to a job that nobody has opened before, or that comes once more."""
        if job in self.jobs:
            self.jobs.remove(job)
        self.jobs.append(job)

    def before(self, job: UUID | None) -> UUID | None:
        """Return the job before one, or before the end of the way."""
        place = self.jobs.index(job) if job in self.jobs else len(self.jobs)
        return self.jobs[place - 1] if place else None

    def following(self, job: UUID | None) -> list[UUID]:
        """Return the jobs that were opened after one: after somebody went back."""
        return self.jobs[self.jobs.index(job) + 1 :] if job in self.jobs else []

    def count_time(self) -> None:
        """Count the time since this was called last."""
        now = clock.monotonic()
        if self.last is not None and now - self.last < PAUSE:
            self.active += now - self.last
        self.last = now

    def count_done(self) -> int:
        return len(set(self.jobs) & _judged())

    def say(self, job: UUID | None) -> str:
        """Say how far somebody is: judged, skipped, and how long the rest takes at this pace."""
        judged = _judged()
        done = len(set(self.jobs) & judged)
        skipped = len(set(self.jobs) - judged - {job} - set(self.following(job)))
        parts = [f"{done:,} of {self.total}"] if self.total is not None else [f"{done:,} reviewed"] if done else []
        if skipped:
            parts.append(f"{skipped:,} skipped")
        if self.total is not None and self.total.is_exact and done >= FEWEST and self.total.jobs > done:
            parts.append(f"{_name_minutes(self.active / done * (self.total.jobs - done) / 60)} at this pace")
        return " · ".join(parts)


def find_walk(asked: object) -> Walk:
    """Return the way through what is asked for: another one where something else was asked for before."""
    walk: Walk | None = st.session_state.get(_WALK)
    if walk is None or walk.asked != asked:
        walk = Walk(asked)
        st.session_state[_WALK] = walk
    return walk


def _judged() -> set[UUID]:
    """Return the jobs that this session has judged, and not taken back since."""
    acts: list[tuple[UUID, UUID]] = st.session_state.get(ACTS) or []
    return {job for _, job in acts}


def _name_minutes(minutes: float) -> str:
    if minutes < 1:
        return "less than a minute"
    if minutes < 90:
        return "about 1 minute" if round(minutes) == 1 else f"about {round(minutes)} minutes"
    return f"about {round(minutes / 60)} hours"
