"""A new key or secret, shown once, in a dialog that only its own buttons close.

Beside a dialog a press would close it: the second press of a double click fell there, where the secret takes less room
than the questions did, and the secret was gone before anybody had read it.
"""

from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.session.once import is_made, make_once
from dashboard.widgets.failure import refusals_in
from dashboard.widgets.primary_button import emphasis

CANCEL, DONE = "secret_cancel", "secret_done"


def close_if_done() -> None:
    """Close the dialog at the start of a run, if one of its buttons was pressed that say so.

    "Cancel" comes too late where the secret is made: nobody would ever have seen it.
    """
    if st.session_state.get(DONE) or (st.session_state.get(CANCEL) and not is_made()):
        st.rerun()


def ask_to_make(label: str, *, icon: str, key: str) -> tuple[bool, DeltaGenerator]:
    """Show the button that makes the secret and, beside it, the one that closes the dialog without.

    Returns whether the first one was pressed, now or before, and the place above both where to say why there is no
    secret.
    """
    refusal = st.container()
    with st.container(horizontal=True):
        is_asked = st.button(label, type=emphasis(), icon=icon, key=key)
        st.button("Cancel", key=CANCEL)
    return is_asked or is_made(), refusal


def show_new_secret(
    place: DeltaGenerator, refusal: DeltaGenerator, make: Callable[[], str], what: str, *, explain: Callable[[], None]
) -> None:
    """Make a secret and show it instead of the questions in their place, or say there why there is none.

    The page forgets it when the dialog is closed (`forget_made`); it is in no argument of the dialog, which the session
    would keep.
    """
    with refusals_in(refusal):
        secret = make_once(make)
        # Not in that place itself: what is sent at once may be sent as its end alone, and the rest of the questions
        # stayed.
        place.empty()
        st.warning(f"{what} It will not be shown again: copy it before you close this.", icon=":material/key:")
        st.code(secret, language=None, wrap_lines=True)
        explain()
        st.button("Done", key=DONE)
