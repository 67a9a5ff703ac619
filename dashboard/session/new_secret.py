"""A new key or secret, shown once."""

from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.actor import Forbidden
from core.errors import InvalidParameter, NotPossible
from dashboard.session.once import make_once
from dashboard.widgets.failure import show_refusal


def show_new_secret(
    place: DeltaGenerator, make: Callable[[], str], what: str, *, explain: Callable[[], None], done: str
) -> None:
    """Make a secret and put it in the place of the questions, or say why there is none.

    `done` is the key of the button below it, seen at the start of the next run, which shows it no more. The page
    forgets it when the dialog is closed (`forget_made`); it is in no argument of the dialog, which the session would
    keep.
    """
    try:
        secret = make_once(make)
    except (InvalidParameter, NotPossible, Forbidden) as error:
        show_refusal(error)
        return
    # Emptied first: what follows is shorter than the questions, and the rest of them would stay.
    place.empty()
    with place.container():
        st.warning(f"{what} It will not be shown again: copy it before you close this.", icon=":material/key:")
        st.code(secret, language=None, wrap_lines=True)
        explain()
        st.button("Done", key=done)
