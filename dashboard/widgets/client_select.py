"""The clients that a select box offers, and how their names are shown there."""

import time as clock

import streamlit as st

from core.characters import quote
from core.db.database import Database
from core.errors import QueryTooSlow
from core.jobs.query import has_jobs
from core.jobs.wall import Wall, list_clients
from dashboard.widgets.markdown_escape import escape

# More can be typed. Seconds for which a session remembers them, and which looking for them may take.
MOST_CLIENTS = 500
KEPT = 60
TIMEOUT = 1

# What is typed and left without Enter is taken back by the browser.
CHOOSE_CLIENT = "Choose a client, or type its id and press Enter"


def ask_client(source: Database, wall: Wall, *, placeholder: str, key: str) -> str:
    """Ask for a client's id, to be chosen or typed; empty where none is given.

    One that has no jobs is taken, because they may come later; but that is said: it may be misspelt, and what is made
    for it would do nothing, unnoticed.
    """
    clients = find_clients(source, wall)
    chosen = st.selectbox(
        "Client id",
        clients,
        index=None,
        format_func=name_client,
        placeholder=placeholder,
        accept_new_options=True,
        key=key,
    )
    client = (chosen or "").strip()
    if client and client not in clients and wall.allows(client) and _lacks_jobs(source, wall, client):
        st.caption(f"The client {escape(client)} has no jobs so far: see that its id is right.")
    return client


def _lacks_jobs(source: Database, wall: Wall, client_id: str) -> bool:
    try:
        with source.transaction(timeout=TIMEOUT) as connection:
            return not has_jobs(connection, wall, client_id)
    except QueryTooSlow:
        return False


def find_clients(source: Database, wall: Wall) -> list[str]:
    """Return the clients that have jobs, at most a minute old; none where finding them takes too long."""
    kept: tuple[float, list[str], Wall] | None = st.session_state.get("clients")
    if kept is None or kept[2] != wall or clock.monotonic() - kept[0] > KEPT:
        try:
            with source.transaction(timeout=TIMEOUT) as connection:
                found = list_clients(connection, wall, limit=MOST_CLIENTS)
        except QueryTooSlow:
            found = []
        kept = (clock.monotonic(), found, wall)
        st.session_state["clients"] = kept
    return kept[1]


def name_client(client_id: str) -> str:
    """Return the name as it is; quoted where it has characters that cannot be seen or that turn the others."""
    return client_id if client_id.isprintable() else quote(client_id)
