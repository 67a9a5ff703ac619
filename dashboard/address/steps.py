"""Steps from one address of a page to another, which a browser that has not heard of them yet does not undo.

Each run comes with the address that the browser showed when it asked for it. Asked for while an answer is on its way,
by a second press or a window that changes, that is the address that was just left.
"""

import time as clock
from collections.abc import Mapping

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

STEPS, PAGES, TOLD = "steps", "pages_shown", "address_told"

# Seconds for which an address that was left is known: longer than a slow line takes, and sooner than anybody types one.
LATE = 3

# Seconds in which a browser may not have heard of a step.
UNHEARD = 1

_Address = frozenset[tuple[str, str]]


def arrive(asked: str | None) -> None:
    """Note the page that this run was asked for, and is: what was meant for another one does not change its address."""
    st.session_state[PAGES] = {asked, find_page()}


def find_page() -> str | None:
    """Return the page that this run is for; it has another name before `st.navigation` than after, when it is new."""
    context = get_script_run_ctx()
    return None if context is None else context.page_script_hash


def write_address(params: Mapping[str, str]) -> None:
    """Write the address once: one step that Back undoes.

    Where a link was followed before an earlier choice had reached the screen, Streamlit applies the choice in the run
    of the page that the link leads to, which has an address of its own.
    """
    if find_page() not in st.session_state.get(PAGES, {find_page()}):
        return
    now, left, wanted = clock.monotonic(), _read_address(), frozenset(params.items())
    _, before = _find_steps()
    steps = {address: at for address, at in before.items() if now - at < LATE} | {left: now}
    steps.pop(wanted, None)
    st.session_state[STEPS] = (dict(params), steps)
    st.query_params.from_dict(params)


def follow_last_step() -> bool:
    """Where the address is one that was just left, write the one that was gone to; return whether it was.

    Back and Forward mean what they say: the browser, which takes a step's address when it hears of it, is told so.
    """
    wanted, steps = _find_steps()
    context = get_script_run_ctx()
    if context is not None and context.is_history_navigation:
        forget_steps()
        # Told once, it is to be told of the next Back as well, which it may know before.
        if any(clock.monotonic() - at < UNHEARD for at in (*steps.values(), st.session_state.get(TOLD, -UNHEARD))):
            st.query_params.from_dict(st.query_params.to_dict())
            st.session_state[TOLD] = clock.monotonic()
        return False
    at = steps.get(_read_address())
    if at is None or clock.monotonic() - at > LATE:
        return False
    st.query_params.from_dict(wanted)
    return True


def forget_steps() -> None:
    """Forget the steps: their page is left, or Back has undone them."""
    st.session_state.pop(STEPS, None)


def _find_steps() -> tuple[dict[str, str], dict[_Address, float]]:
    found: tuple[dict[str, str], dict[_Address, float]] = st.session_state.get(STEPS) or ({}, {})
    return found


def _read_address() -> _Address:
    return frozenset(st.query_params.to_dict().items())
