"""Webhooks and what was sent to them, as tables whose cells say everything in words; never a secret."""

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st
from sqlalchemy import Row

from core.webhooks.deliveries import State
from core.webhooks.events import WebhookEvent
from dashboard.widgets.table import ROW_HEIGHT, fit_height
from dashboard.widgets.words import name_actor

EVENTS = {
    WebhookEvent.REVIEW_OVERTURNED: "a decision is overturned",
    WebhookEvent.REVIEW_ESCALATED: "a job is escalated",
    WebhookEvent.SAMPLE_FINISHED: "a sample is finished",
}

# Sign and word, so that no state is told by colour alone.
STATES = {
    State.WAITING: "↻ Waiting",
    State.DELIVERED: "✓ Delivered",
    State.GIVEN_UP: "✕ Given up",
}

ALL_CLIENTS = "– All clients"


def show_endpoints(rows: Sequence[Row[Any]]) -> None:
    """Show webhooks in the order given."""
    columns = {
        "Address": [row.url for row in rows],
        "State": ["✓ Active" if row.paused_at is None else "○ Paused" for row in rows],
        "Send when": [", ".join(EVENTS[WebhookEvent(event)] for event in row.events) for row in rows],
        "Client": [row.client_id or ALL_CLIENTS for row in rows],
        "Waiting": [f"{row.waiting:,}" for row in rows],
        "Given up": [f"{row.given_up:,}" for row in rows],
        "Added by": [name_actor(row.address, row.created_by) for row in rows],
    }
    _show(columns, "webhooks", "Webhooks, the oldest first")


def show_deliveries(rows: Sequence[Row[Any]], zone: ZoneInfo) -> None:
    """Show messages in the order given, with times in the zone."""
    columns = {
        "When": [f"{row.created_at.astimezone(zone):%Y-%m-%d %H:%M:%S}" for row in rows],
        "State": [STATES[State(row.state)] for row in rows],
        "What": [name_event(row.event) for row in rows],
        "Address": [row.url for row in rows],
        "Attempts": [f"{row.attempts:,}" for row in rows],
        "Last answer": [say_answer(row) for row in rows],
        "Next attempt": [_next_attempt(row, zone) for row in rows],
        "Id": [row.message_id for row in rows],
    }
    _show(columns, "deliveries", "Messages to webhooks, the newest first")


def name_event(event: str) -> str:
    return EVENTS[WebhookEvent(event)].removeprefix("a ").capitalize()


def say_answer(row: Row[Any]) -> str:
    """Say what became of the last attempt."""
    if row.last_status is None and row.last_error is None:
        return "–"
    parts = [None if row.last_status is None else str(row.last_status), row.last_error]
    return ": ".join(part for part in parts if part)


def _next_attempt(row: Row[Any], zone: ZoneInfo) -> str:
    if row.state != State.WAITING:
        return "–"
    return "when resumed" if row.paused_at is not None else f"{row.due_at.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def _show(columns: dict[str, list[str]], key: str, alt: str) -> None:
    frame = pd.DataFrame(columns, dtype="str")
    st.dataframe(
        frame,
        hide_index=True,
        height=fit_height(len(frame)),
        row_height=ROW_HEIGHT,
        key=key,
        alt=alt,
    )
