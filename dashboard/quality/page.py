"""Quality: the samples, and what the verdicts on one say of all the jobs that it was drawn from."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import streamlit as st
from sqlalchemy import Row

from core.actor import Actor, Scope
from core.audit.events import Event, record
from core.characters import quote
from core.quality.answers import answer_sample
from core.quality.progress import find_lapsed, read_progress
from core.quality.samples import list_samples
from core.review.sample_agreement import measure_agreement_of
from dashboard.address.steps import write_address
from dashboard.address.zones import browser_zone
from dashboard.open_job.panel import forget_other_job
from dashboard.quality.accuracy_section import show_accuracy
from dashboard.quality.address import Place, read_address
from dashboard.quality.agreement_section import show_agreement
from dashboard.quality.edit_dialog import show_edit_button
from dashboard.quality.figure_rows import show_figures, show_groups
from dashboard.quality.head import show_downloads, show_lapsed, show_progress, show_sample
from dashboard.quality.room import show_room
from dashboard.quality.sample_list import show_samples
from dashboard.session.admission import REVIEWERS, admitted
from dashboard.session.person import find_person
from dashboard.session.resources import Resources, get_resources
from dashboard.widgets.step_button import show_step
from dashboard.widgets.words import name_time

NOT_FOUND = "There is no sample with this id among those you may see. Check the address, or ask whoever sent it."


def show() -> None:
    """Run the page."""
    resources = get_resources()
    person = find_person(resources.settings)
    if person is None or Scope.JOB_READ not in person.scopes:
        st.stop()
    st.title("Quality")
    place = read_address()
    samples = list_samples(resources.databases, person.wall)
    if place.sample is None:
        show_samples(resources, samples)
        show_accuracy(resources, person)
        return
    if place.is_judging:
        show_step("The sample", ":material/arrow_back:", Place(place.sample).to_params(), key="the_sample")
    else:
        show_step("All samples", ":material/arrow_back:", {}, key="all_samples")
    sample = next((one for one in samples if one.sample_id == place.sample), None)
    if sample is None:
        st.info(NOT_FOUND, icon=":material/search_off:")
        return
    if place.is_judging:
        show_room(resources, person, place, sample)
        return
    forget_other_job(None)
    _show_sample(resources, person, place, sample, samples)


def _show_sample(
    resources: Resources, person: Actor, place: Place, sample: Row[Any], samples: Sequence[Row[Any]]
) -> None:
    databases = resources.databases
    lapsed = find_lapsed(databases, person.wall, sample.sample_id)
    answer = answer_sample(databases, sample.sample_id, sample.strata, person)
    # Committed to the audit before it is shown, once for each sample that is looked at.
    if st.session_state.get("quality_viewed") != place:
        record(databases, Event.QUALITY_VIEWED, person, subject=str(sample.sample_id))
        st.session_state["quality_viewed"] = place
    show_sample(resources, sample, answer)
    show_progress(read_progress(databases, sample, without=len(lapsed.gone) + len(lapsed.changed)))
    show_lapsed(sample, lapsed)
    judging = Place(sample.sample_id, is_judging=True).to_params()
    with st.container(horizontal=True):
        if person.scopes & REVIEWERS:
            show_step("Judge this sample", ":material/gavel:", judging, key="judge_sample")
        show_edit_button(person, sample)
    show_downloads(sample.sample_id)
    other = _choose_other(place, sample, samples)
    before = None if other is None else answer_sample(databases, other.sample_id, other.strata, person)
    show_figures(sample, answer, before)
    show_groups(sample, answer)
    show_agreement(measure_agreement_of(databases, sample.sample_id, sample.strata))


def _choose_other(place: Place, sample: Row[Any], samples: Sequence[Row[Any]]) -> Row[Any] | None:
    """Let somebody choose the sample that this one is held against; at first the one before it."""
    others = {one.sample_id: one for one in samples if one.sample_id != sample.sample_id}
    if not others:
        return None
    earlier = [one.sample_id for one in samples if one.drawn_at < sample.drawn_at]
    chosen = place.other if place.other in others else earlier[0] if earlier else None
    st.session_state["quality_other"] = chosen
    st.selectbox(
        "Compared with the sample",
        list(others),
        key="quality_other",
        index=None,
        # Names are often alike.
        format_func=lambda one: f"{quote(others[one].name)}, drawn {name_time(others[one].drawn_at, browser_zone())}",
        placeholder="None",
        on_change=admitted(_apply_other),
        args=(place,),
    )
    return None if chosen is None else others[chosen]


def _apply_other(place: Place) -> None:
    other: UUID | None = st.session_state["quality_other"]
    if other is not None and other != place.other:
        write_address(Place(place.sample, other).to_params())


show()
