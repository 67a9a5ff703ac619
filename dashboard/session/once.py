"""What an open dialog makes or changes, done once, however often its button is pressed.

Streamlit runs a dialog again for a second press while the first one is still at work: two keys were made, and one of
them was shown to nobody.
"""

from collections.abc import Callable
from typing import TypeVar, cast

import streamlit as st

from dashboard.session.uninterrupted import uninterrupted

T = TypeVar("T")

_MADE = "made_by_dialog"


def forget_made() -> None:
    """Begin anew: a dialog is opened, or closed; no secret is kept any longer than it is shown."""
    st.session_state.pop(_MADE, None)


def is_made() -> bool:
    """Tell whether the open dialog has made what it makes.

    It goes on with that then, whatever else was pressed: what is pressed while it is at work ends the run that would.
    """
    return _MADE in st.session_state


def make_once(make: Callable[[], T]) -> T:
    """Return what the open dialog has made, now or before. What `make` raises is raised, and leaves nothing behind."""
    if not is_made():
        with uninterrupted():
            st.session_state[_MADE] = make()
    return cast(T, st.session_state[_MADE])
