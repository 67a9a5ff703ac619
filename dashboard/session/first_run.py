"""What a session is asked for first."""

from typing import Any
from weakref import WeakSet

from streamlit.runtime.app_session import AppSession

_request = AppSession.request_rerun
_asked = WeakSet[AppSession]()


def begin_with_whole_page() -> None:
    """Let a page that was open while its server began anew hear what is pressed.

    Streamlit's browser asks for no run once it is connected again, and a press may ask for a fragment alone. The new
    session knows none, and would do nothing.
    """
    setattr(AppSession, "request_rerun", _request_whole)  # noqa: B010 - mypy lets nobody assign a method


def _request_whole(session: AppSession, client_state: Any) -> None:
    if client_state and session not in _asked:
        client_state.ClearField("fragment_id")
    _asked.add(session)
    _request(session, client_state)
