"""The note of a review: kept while it is typed, so that it survives whatever ends the session."""

from pathlib import Path
from typing import Any
from uuid import UUID

import streamlit as st

from core.actor import Actor
from core.review.claims import renew_claim
from core.review.drafts import LONGEST_NOTE, find_draft, keep_draft
from dashboard.open_job.showing import is_shown
from dashboard.session.admission import REVIEWERS, as_person, fragment
from dashboard.session.resources import get_resources

NOTE = "review_note"

_TYPING = st.components.v2.component(
    "fencepost_review_note", html="<span></span>\n", js=Path(__file__).with_name("review_note.js").read_text()
)


@fragment(scopes=REVIEWERS)
def show_note(person: Actor, job_id: UUID, showing: str, note: str) -> None:
    """Show the field of the note on a showing of a job, with `note` in it until somebody writes there."""
    if not is_shown(showing):
        # A button was pressed as the field was left: a browser tells both at once, and asks for the field's part alone.
        st.rerun()
    st.text_area(
        "Note",
        note,
        key=f"{NOTE}_{showing}",
        max_chars=LONGEST_NOTE,
        height=68,
        label_visibility="collapsed",
        placeholder="Note: kept while you write, and shown to others who have reviewed this job",
        on_change=as_person(_keep_field, REVIEWERS),
        args=(job_id, showing),
    )
    typed: dict[str, Any] | None = _TYPING(
        key="review_typing", data={"job": str(job_id)}, on_typed_change=lambda: None
    ).typed
    if typed is not None and typed.get("job") == str(job_id):
        _keep(person, job_id, str(typed.get("note", "")))


def find_note(person: Actor, job_id: UUID) -> str:
    """Return the note that was being written, or nothing."""
    return find_draft(get_resources().databases.ours, person, job_id)


def _keep_field(person: Actor, job_id: UUID, showing: str) -> None:
    _keep(person, job_id, st.session_state[f"{NOTE}_{showing}"])


def _keep(person: Actor, job_id: UUID, note: str) -> None:
    ours = get_resources().databases.ours
    keep_draft(ours, person, job_id, note)
    # Who writes about a job is at it.
    renew_claim(ours, person, job_id)
