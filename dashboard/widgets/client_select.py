"""The clients that a select box offers, and how their names are shown there."""

import time as clock

import streamlit as st

from core.characters import quote
from core.db.database import Database
from core.errors import QueryTooSlow
from core.jobs.wall import Wall, list_clients

# More can be typed. Seconds for which a session remembers them, and which looking for them may take.
MOST_CLIENTS = 500
KEPT = 60
TIMEOUT = 1


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
