"""What this person has seen of the open job in this look: what was revealed, and whether its text was ever shown."""

from uuid import UUID

import streamlit as st

_REVEALED, _SEEN = "revealed", "seen"


def reveal(job_id: UUID | None) -> None:
    """Let the text of a job be shown, or hide it again."""
    st.session_state[_REVEALED] = job_id


def is_revealed(job_id: UUID) -> bool:
    return bool(st.session_state.get(_REVEALED) == job_id)


def note_seen(job_id: UUID) -> None:
    """Remember that the text of a job was shown."""
    st.session_state[_SEEN] = job_id


def is_seen(job_id: UUID) -> bool:
    return bool(st.session_state.get(_SEEN) == job_id)


def forget_seen() -> None:
    """Begin another look: who comes back to a job meets it hidden."""
    for name in (_REVEALED, _SEEN):
        st.session_state.pop(name, None)
