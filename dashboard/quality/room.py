"""Where a sample is judged: one job after the other, in the order in which chance has drawn them."""

from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import streamlit as st
from sqlalchemy import Row

from core.actor import Actor
from core.jobs.filter import JobFilter
from core.quality.queue import claim_next_drawn, count_open
from core.review.claims import release_claim, renew_claim
from core.review.known_jobs import claim_known
from core.review.participants import why_not
from core.review.verdicts import find_own
from dashboard.address.steps import write_address
from dashboard.address.zones import browser_zone
from dashboard.open_job.conduct import Conduct, keep_conduct
from dashboard.open_job.panel import forget_other_job, show_open_job
from dashboard.open_job.review import ACTS, say_act, show_take_back
from dashboard.open_job.showing import is_shown, leave_showing, name_showing
from dashboard.quality.address import Place
from dashboard.session.admission import REVIEWERS, as_person
from dashboard.session.default_texts import get_default_texts
from dashboard.session.resources import Resources, get_resources
from dashboard.widgets.primary_button import emphasis
from dashboard.widgets.step_button import show_step
from dashboard.widgets.window import read_window

# Pixels above an open job.
ABOVE_JOB = 240

NO_REVIEWER = "You may look at this sample, but not judge its jobs: ask an admin for the right to review."

NOTHING_LEFT = "Nothing is left for you in this sample."

# How far somebody has come in a sample, and what is to be said where nothing is left.
REACHED, SAID = "sample_reached", "sample_said"


def show_room(resources: Resources, person: Actor, place: Place, sample: Row[Any]) -> None:
    """Show the open job of a sample, or where somebody begins."""
    refusal = why_not(sample, person, datetime.now(UTC)) if person.scopes & REVIEWERS else NO_REVIEWER
    if refusal is not None:
        keep_conduct(None)
        st.info(refusal, icon=":material/lock:")
        return
    showing = name_showing(place.job)
    window = read_window()
    left = count_open(resources.databases, person, sample)
    is_done = place.job is None and not left
    said = st.session_state.pop(SAID, None)
    if said is not None or is_done:
        st.info(said or NOTHING_LEFT, icon=":material/done_all:")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(f"{sample.name} · {'1 job' if left == 1 else f'{left:,} jobs'} left for you", width="content")
        st.space("stretch")
        if is_done:
            show_step("Read the answer", ":material/verified:", Place(sample.sample_id).to_params(), key="read_answer")
        else:
            st.button(
                "Start" if place.job is None else "Skip",
                type=emphasis() if place.job is None else "tertiary",
                shortcut="J",
                # As on Reviews: the keyboard knows these names.
                key=f"start_{showing}" if place.job is None else f"skip_{showing}",
                on_click=as_person(_step_on, REVIEWERS),
                args=(showing, place, sample),
            )
        if place.job is not None:
            st.button(
                "Stop",
                type="tertiary",
                shortcut="Esc",
                key=f"stop_{showing}",
                on_click=as_person(_stop, REVIEWERS),
                args=(showing, place),
            )
        elif st.session_state.get(ACTS):
            show_take_back(resources, person, None, None)
    if place.job is None:
        keep_conduct(None)
        forget_other_job(None)
        say_act()
        return
    _show_job(resources, person, place, place.job, sample, height=window.height - ABOVE_JOB)


def _show_job(
    resources: Resources, person: Actor, place: Place, job_id: UUID, sample: Row[Any], *, height: int
) -> None:
    own = find_own(resources.databases.ours, person, job_id)
    # Under an earlier policy that does not count any more is as if not at all.
    is_judged = own is not None and not own.outdated_by
    keep_conduct(Conduct(job_id, sample.is_blind and not is_judged, sample.sample_id))
    texts = get_default_texts(person)
    advance = partial(_advance, place=place, sample=sample)
    job = show_open_job(job_id, browser_zone(), texts, height=height, on_done=advance)
    if job is not None:
        renew_claim(resources.databases.ours, person, job_id)


def _step_on(person: Actor, showing: str, place: Place, sample: Row[Any]) -> None:
    if is_shown(showing):
        _advance(person, place, sample)
        leave_showing()


def _stop(person: Actor, showing: str, place: Place) -> None:
    """Close the job, and leave it to others."""
    if not is_shown(showing):
        return
    _release(person, place)
    write_address(Place(place.sample, is_judging=True).to_params())
    leave_showing()


def _advance(person: Actor, place: Place, sample: Row[Any]) -> None:
    """Claim the next job, and leave the one that is open to others."""
    reached: dict[UUID, int] = st.session_state.setdefault(REACHED, {})
    after = reached.get(sample.sample_id, 0)
    databases = get_resources().databases
    known = claim_known(databases, person, JobFilter.from_params(sample.filter.items()), leaving=place.job)
    found = (known, after) if known else claim_next_drawn(databases, person, sample, after=after, leaving=place.job)
    if found is None:
        st.session_state[SAID] = NOTHING_LEFT
    else:
        reached[sample.sample_id] = found[1]
    _release(person, place)
    write_address(Place(place.sample, is_judging=True, job=None if found is None else found[0]).to_params())


def _release(person: Actor, place: Place) -> None:
    if place.job is not None:
        release_claim(get_resources().databases.ours, person, place.job)
