"""What wants a sign-in that is not long ago, where FENCEPOST_STEP_UP_MINUTES says so (`Actor.is_fresh`)."""

import streamlit as st

from dashboard.session.person import show_sign_in_buttons
from dashboard.session.resources import get_resources


def ask_again(what: str) -> None:
    """Ask whoever is there to sign in again for something; they come back to the page that they are on."""
    minutes = get_resources().settings.fencepost_step_up_minutes or 0
    st.info(
        f"For {what} sign in again: that must not be longer ago than {minutes:g} minutes.", icon=":material/lock_clock:"
    )
    show_sign_in_buttons("Sign in again")
