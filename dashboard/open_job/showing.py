"""Which job is on screen: what is pressed counts for that showing of it, or for nothing.

A second press may be on its way while the first one's answer is: it comes with the address of the job that was left.
"""

import secrets
import time as clock
from dataclasses import dataclass
from uuid import UUID

import streamlit as st

SHOWING, LEFT = "showing", "left_job"

# Seconds for which a press that comes late is known as one: longer than a slow line takes, and sooner than anybody goes
# back by hand.
LATE = 3


@dataclass(frozen=True, slots=True)
class _Left:
    """A job that was left by an act, and the address of the place that the act went to."""

    job: str | None
    params: dict[str, str]
    at: float


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
    if follow_last_act():
        st.session_state["other_job"] = True
    return False


def leave_showing(job: str | None) -> None:
    """End a showing after an act, which has written the address of where it goes; `job` is the one that was shown."""
    st.session_state.pop(SHOWING, None)
    st.session_state.pop(LEFT, None)
    params = st.query_params.to_dict()
    if params.get("job") != job:
        st.session_state[LEFT] = _Left(job, params, clock.monotonic())


def follow_last_act() -> bool:
    """Where the address is the one that an act has just left, write the one that it went to; return whether it was."""
    left: _Left | None = st.session_state.get(LEFT)
    if left is None or clock.monotonic() - left.at > LATE or st.query_params.get("job") != left.job:
        return False
    st.query_params.from_dict(left.params)
    return True
