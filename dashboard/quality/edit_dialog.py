"""Changes who judges a sample, and until when."""

from typing import Any

import streamlit as st
from sqlalchemy import Row

from core.actor import Actor
from core.quality.samples import edit_sample, may_edit
from core.review.participants import list_people
from dashboard.session.admission import REVIEWERS, dialog
from dashboard.session.once import make_once
from dashboard.session.resources import get_resources
from dashboard.widgets.failure import refusals_in
from dashboard.widgets.people_select import ask_people_and_day
from dashboard.widgets.primary_button import emphasis


def show_edit_button(person: Actor, sample: Row[Any]) -> None:
    """Offer to whoever has drawn the sample, and to admins, to change it."""
    may = person.scopes & REVIEWERS and may_edit(sample, person)
    if may and st.button("Change people or last day", icon=":material/edit:", type="tertiary", key="edit_sample"):
        edit_dialog(sample)


@dialog("Change people or last day", scopes=REVIEWERS)
def edit_dialog(person: Actor, sample: Row[Any]) -> None:
    """Ask for both, and change them."""
    databases, key = get_resources().databases, f"edit_{sample.sample_id}"
    people, last_day = ask_people_and_day(
        list_people(databases.ours),
        key=key,
        meaning="Left empty: until it is done. Verdicts already given stay.",
        chosen=sample.people,
        last_day=sample.last_day,
    )
    refusal = st.container()
    if st.button("Save changes", type=emphasis(), icon=":material/save:", key="sample_edit"):
        with refusals_in(refusal, "The sample was not changed."):
            make_once(lambda: edit_sample(databases, person, sample.sample_id, people=people, last_day=last_day))
            st.rerun()
