"""What a session is asked for first."""

from typing import Any
from weakref import WeakSet

import streamlit as st
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.state.common import user_key_from_element_id

_request = AppSession.request_rerun
_asked = WeakSet[AppSession]()

_FIELDS = "fields_of_session_before"


def begin_with_whole_page() -> None:
    """Let a page that was open while its server began anew hear what is pressed.

    Streamlit's browser asks for no run once it is connected again, and a press may ask for a fragment alone. The new
    session knows none, and would do nothing.
    """
    setattr(AppSession, "request_rerun", _request_whole)  # noqa: B010 - mypy lets nobody assign a method


def _request_whole(session: AppSession, client_state: Any) -> None:
    if client_state and session not in _asked:
        fields = client_state.widget_states.widgets
        # Streamlit would warn where an item is set while no script runs.
        names = {user_key_from_element_id(field.id) for field in fields}
        session.session_state.reset_state_value(_FIELDS, names)
        client_state.ClearField("fragment_id")
    _asked.add(session)
    _request(session, client_state)


def was_open(field: str) -> bool:
    """Tell, once, whether the dialog with this field was open in the browser while its server began anew.

    What was filled in is in the browser, which sends it with whatever it asks for first.
    """
    fields: set[str | None] = st.session_state.get(_FIELDS, set())
    if field not in fields:
        return False
    fields.discard(field)
    return True
