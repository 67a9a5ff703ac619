"""What stands around the open job, kept while somebody goes from job to job: no list or figure is read again.

Kept in the session, and with all that decides who may see it, so that nobody meets what was read for somebody else.
"""

import time as clock
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

import streamlit as st

# Seconds after which a step reads anew, too.
KEPT = 60

T = TypeVar("T")


def keep(name: str, key: object, job: UUID | None, read: Callable[[], T]) -> T:
    """Return what was read under the key where since then nothing has changed but the open job; else read it."""
    kept: tuple[object, UUID | None, float, T] | None = st.session_state.get(name)
    if kept is not None and kept[0] == key and kept[1] != job and clock.monotonic() - kept[2] < KEPT:
        at, found = kept[2:]
    else:
        at, found = clock.monotonic(), read()
    st.session_state[name] = (key, job, at, found)
    return found


def carry(name: str, job: UUID) -> None:
    """Let what is not shown beside an open job count as kept when it is closed."""
    kept: tuple[object, UUID | None, float, object] | None = st.session_state.get(name)
    if kept is not None:
        st.session_state[name] = (kept[0], job, *kept[2:])
