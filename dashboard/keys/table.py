"""The list of keys as a table whose cells say everything in words; never a secret."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st
from sqlalchemy import Row

from core.auth.api_keys import KeyState
from dashboard.widgets.table import ROW_HEIGHT, fit_height
from dashboard.widgets.words import name_actor

# Sign and word, so that no state is told by colour alone.
STATES = {
    KeyState.VALID: "✓ Valid",
    KeyState.ROTATING: "↻ Rotating",
    KeyState.EXPIRED: "○ Expired",
    KeyState.REVOKED: "✕ Revoked",
}

ALL_CLIENTS = "– All clients"

MOST_ROWS = 14

_TURNING = re.compile(r"[\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufeff]")


def show_keys(rows: Sequence[Row[Any]], zone: ZoneInfo) -> None:
    """Show keys in the order given."""
    st.dataframe(
        to_frame(rows, zone),
        hide_index=True,
        height=fit_height(len(rows), (MOST_ROWS + 1) * ROW_HEIGHT + 3),
        row_height=ROW_HEIGHT,
        column_config=_columns(),
        key="keys",
        alt="API keys: those that work first, newest first",
    )


def to_frame(rows: Sequence[Row[Any]], zone: ZoneInfo) -> pd.DataFrame:
    """Turn keys into text cells, with times in the zone."""
    columns: dict[str, list[str]] = {
        "name": [row.name for row in rows],
        "state": [STATES[KeyState(row.state)] for row in rows],
        "client": [row.client_id if row.client_id is not None else ALL_CLIENTS for row in rows],
        "scopes": [", ".join(row.scopes) or "none" for row in rows],
        "used": [_time(row.last_used_at, zone) for row in rows],
        "expires": [_time(row.expires_at, zone) for row in rows],
        "networks": [", ".join(row.networks or ["anywhere"]) for row in rows],
        "key": [prefix(row.key_id) for row in rows],
        "maker": [name_actor(row.address, row.created_by) for row in rows],
        "created": [_time(row.created_at, zone) for row in rows],
    }
    return pd.DataFrame(columns, dtype="str")


def prefix(key_id: str) -> str:
    """What may be shown of a key: all but its secret and its checksum."""
    return f"fp_{key_id}_…"


def isolate(text: str) -> str:
    """Keep a text that turns the direction of writing from moving what stands beside it (Unicode, UAX 9)."""
    return f"\u2068{text}\u2069" if _TURNING.search(text) else text


def _time(instant: datetime | None, zone: ZoneInfo) -> str:
    return "never" if instant is None else f"{instant.astimezone(zone):%Y-%m-%d %H:%M}"


def _columns() -> dict[str, Any]:
    text = st.column_config.TextColumn
    return {
        "name": text("Name", width=180, pinned=True),
        "state": text("State", width=100),
        "client": text("Client", width=130),
        "scopes": text("Scopes", width=150),
        "used": text("Last used", width=130, help="To the minute."),
        "expires": text("Expires", width=130),
        "networks": text("Works from", width=130),
        "key": text("Key", width=150),
        "maker": text("Created by", width=150),
        "created": text("Created", width=130),
    }
