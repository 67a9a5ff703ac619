"""The other jobs with the open job's prompt: one verdict may be given to all that one has not reviewed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import streamlit as st
from sqlalchemy import Row

from core.actor import Actor
from core.errors import QueryTooSlow
from core.gold.turns import is_known
from core.jobs.same_prompt import list_same_prompt
from core.review.verdicts import find_reviewed
from dashboard.session.resources import get_resources

# Jobs that one verdict is given to at once: what can be recorded while somebody waits.
MOST_AT_ONCE = 10_000

# Seconds that looking for them may take. Only a source of ours is sure to have an index for it.
TIMEOUT = 1

APPLY = "review_all"
TOO_SLOW = "review_alike_too_slow"


@dataclass(frozen=True, slots=True)
class Alike:
    """Decided jobs with the same prompt that somebody has not reviewed; the open one is among them unless it was.

    `is_complete` is False where there are more.
    """

    jobs: Sequence[Row[Any]]
    is_complete: bool

    def others(self, job_id: UUID) -> list[Row[Any]]:
        return [job for job in self.jobs if job.job_id != job_id]


def find_alike(person: Actor, job_id: UUID) -> Alike | None:
    """Find them, or return None where that takes too long.

    In a source that is not ours it is not tried again in this session: without an index each job would wait for it.
    """
    resources = get_resources()
    if st.session_state.get(TOO_SLOW):
        return None
    # One that comes back because its answer is settled is offered as any other: what its person said of it is not told.
    as_new = {job_id} if is_known(resources.databases.ours, person, job_id) else set()
    found: list[Row[Any]] = []
    after: UUID | None = None
    while True:
        try:
            with resources.databases.source.transaction(timeout=TIMEOUT) as connection:
                batch = list_same_prompt(connection, job_id, person.wall, after=after, limit=MOST_AT_ONCE + 1)
        except QueryTooSlow:
            st.session_state[TOO_SLOW] = not resources.databases.jobs_are_ours
            return None
        reviewed = find_reviewed(resources.databases.ours, [job.job_id for job in batch], person) - as_new
        found += [job for job in batch if job.job_id not in reviewed]
        is_over = len(batch) <= MOST_AT_ONCE
        if is_over or len(found) > MOST_AT_ONCE:
            return Alike(found[:MOST_AT_ONCE], is_complete=is_over and len(found) <= MOST_AT_ONCE)
        after = batch[-1].job_id


def show_alike(alike: Alike | None, job: Row[Any], showing: str) -> None:
    """Offer to apply the verdict to all of them; say how many these are, and where their decisions differ."""
    if alike is None:
        st.caption("Other jobs with this same prompt are not offered: finding them takes too long here.")
        return
    others = alike.others(job.job_id)
    if not others:
        return
    number = f"{len(alike.jobs):,}"
    label = f"all {number} jobs" if alike.is_complete else f"{number} of the jobs"
    if len(alike.jobs) == 1:
        label = "1 more job"
    st.checkbox(f"Apply to {label} with this same prompt that I have not reviewed", key=f"{APPLY}_{showing}")
    opposite = sum(other.is_prohibited != job.is_prohibited for other in others)
    if opposite:
        are = "1 of them was" if opposite == 1 else f"{opposite:,} of them were"
        st.caption(
            f"{are} decided the other way. A verdict is on each job's own decision: to agree with all of them is to "
            "find both right."
        )
