"""Who has signed in: a word about them, the way out, and their open sessions, each of which they can end."""

import re
from contextlib import suppress
from typing import Any
from zoneinfo import ZoneInfo

import streamlit as st
from sqlalchemy import Row

from core.actor import Actor, Scope
from core.auth.live_sessions import end_session, list_sessions
from core.errors import NotPossible
from dashboard.address.zones import browser_zone
from dashboard.session.admission import ADMINS, ANY, as_person, dialog
from dashboard.session.person import sign_out
from dashboard.session.resources import get_resources
from dashboard.widgets.markdown_escape import escape

# What browsers call themselves, in the order in which they are asked for: most call themselves by several names.
_BROWSERS = {"Edge": r"Edg/", "Opera": r"OPR/", "Firefox": r"Firefox/", "Chrome": r"Chrome/", "Safari": r"Safari/"}
_SYSTEMS = {"Android": r"Android", "iOS": r"iPhone|iPad", "Windows": r"Windows", "macOS": r"Mac OS", "Linux": r"Linux"}


def show_person(person: Actor) -> None:
    """Say who has signed in, and let them leave, here or elsewhere."""
    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
        st.text(person.address or person.name)
        if st.button("Sessions", icon=":material/devices:", type="tertiary", key="open_sessions"):
            _sessions_dialog()
        st.button("Sign out", icon=":material/logout:", type="tertiary", on_click=sign_out, key="sign_out")


@dialog("Open sessions", scopes=ANY, width="medium")
def _sessions_dialog(person: Actor) -> None:
    resources = get_resources()
    if resources.door is None:
        return
    zone, hours, idle = browser_zone(), resources.door.hours, resources.door.idle
    st.caption(f"Each is one sign-in. Times are those of {zone.key}.")
    for row in list_sessions(resources.databases, person, hours, idle):
        with st.container(horizontal=True, vertical_alignment="center"):
            is_this = row.session == person.session
            st.text(name_session(row, zone) + ("\nThis one" if is_this else ""))
            st.space("stretch")
            if not is_this:
                st.button("End", on_click=as_person(_end, ANY), args=(row.session,), key=f"end_{row.session}")
    if Scope.ADMIN_CONFIG in person.scopes:
        rows = list_sessions(resources.databases, person, hours, idle, everybody=True)
        _show_others({row.session: row for row in rows if row.person != person.name}, zone)
    st.caption("An ended session stops showing anything within 5 seconds. Sign out ends all of yours.")


def _show_others(others: dict[str, Row[Any]], zone: ZoneInfo) -> None:
    """Let an admin end a session of somebody else."""
    chosen = st.selectbox(
        "Session of somebody else",
        list(others),
        index=None,
        format_func=lambda session: f"\u2068{others[session].address}\u2069, {name_session(others[session], zone)}",
        placeholder="Choose a session" if others else "Nobody else is signed in",
        disabled=not others,
        key="other_session",
    )
    if chosen in others:
        label = f"End this session of {escape(others[chosen].address)}"
        st.button(label, icon=":material/block:", on_click=as_person(_end, ADMINS), args=(chosen,), key="end_other")


def _end(person: Actor, session: str) -> None:
    # Where it has ended already, the list that follows says so.
    with suppress(NotPossible):
        end_session(get_resources().databases, person, session)


def name_session(row: Row[Any], zone: ZoneInfo) -> str:
    """Say of a session what its person knows it by: the browser, the network address, since when."""
    since = f"since {row.first_seen_at.astimezone(zone):%Y-%m-%d %H:%M}"
    return ", ".join([name_browser(row.browser or ""), row.remote_address or "an unknown address", since])


def name_browser(text: str) -> str:
    """Name a browser and its system by what it says of itself (User-Agent, RFC 9110); no more than these words."""
    browser = next((name for name, pattern in _BROWSERS.items() if re.search(pattern, text)), "Another program")
    system = next((name for name, pattern in _SYSTEMS.items() if re.search(pattern, text)), None)
    return browser if system is None else f"{browser} on {system}"
