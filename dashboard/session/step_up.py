"""What wants a sign-in that is not long ago, where FENCEPOST_STEP_UP_MINUTES says so (`Actor.is_fresh`)."""

from collections.abc import Callable

import streamlit as st

from core.actor import Actor
from dashboard.session.person import find_admin, show_sign_in_buttons
from dashboard.session.resources import get_resources


def ask_again(what: str) -> None:
    """Ask whoever is there to sign in again for something; they come back to the page that they are on."""
    minutes = get_resources().settings.fencepost_step_up_minutes or 0
    st.info(
        f"For {what} sign in again: that must not be longer ago than {minutes:g} minutes.", icon=":material/lock_clock:"
    )
    show_sign_in_buttons("Sign in again")


def find_fresh_admin(title: str, what: str) -> Actor | None:
    """Return the admin in front of a page, or None after they were asked to sign in again for what it holds.

    For anybody else the run ends here: that `main.py` lists the page for admins alone is not what keeps others out.
    """
    person = find_admin()
    if person is None:
        st.stop()
    if person.is_fresh:
        return person
    st.title(title)
    ask_again(what)
    return None


def may_download(person: Actor, count: Callable[[int], int]) -> bool:
    """Tell whether somebody may have a file as they are; ask them to sign in again where it has too many rows for that.

    `count` counts its rows, as far as a limit.
    """
    rows = get_resources().settings.fencepost_step_up_rows
    if person.is_fresh or count(rows + 1) <= rows:
        return True
    ask_again(f"a file of more than {rows:,} rows")
    return False
