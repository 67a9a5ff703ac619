"""Which job is on screen: what is pressed counts for that showing of it, or for nothing.

A second press may be on its way while the first one's answer is: it comes with the address of the job that was left.
"""

import secrets
from uuid import UUID

import streamlit as st

from dashboard.address.steps import follow_last_step

SHOWING = "showing"


def name_showing(job_id: UUID | None) -> str:
    """Return the name of this showing of a job, for the keys of its buttons; another one once something was done."""
    held: tuple[UUID | None, str] | None = st.session_state.get(SHOWING)
    if held is None or held[0] != job_id:
        held = (job_id, f"{job_id or 'none'}_{secrets.token_hex(4)}")
        st.session_state[SHOWING] = held
    return held[1]


def is_shown(showing: str) -> bool:
    """Tell whether a showing is still the one on screen; where it is not, stay where the last act went."""
    held: tuple[UUID | None, str] | None = st.session_state.get(SHOWING)
    if held is not None and held[1] == showing:
        return True
    if follow_last_step():
        st.session_state["other_job"] = True
    return False


def leave_showing() -> None:
    """End a showing after an act."""
    st.session_state.pop(SHOWING, None)
