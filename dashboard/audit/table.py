"""A page of the audit as a table whose cells are plain text: much of it was typed by others."""

import re
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st
from sqlalchemy import Row

from core.characters import quote
from core.instants import print_local
from dashboard.widgets.table import ROW_HEIGHT, fit_height

# What says itself without quotes: times, ids, numbers, and words of ours.
_WORD = re.compile(r"[\w.,:+/-]+", re.ASCII)

# Details that name clients. Where none is named, it is about the jobs of all.
_CLIENTS = ("client_id", "clients")


def show_events(rows: Sequence[Row[Any]], zone: ZoneInfo) -> None:
    """Show events in the order given."""
    text = st.column_config.TextColumn
    st.dataframe(
        to_frame(rows, zone),
        hide_index=True,
        height=fit_height(len(rows)),
        row_height=ROW_HEIGHT,
        column_config={
            "time": text(f"Time ({zone.key})", width=165, pinned=True),
            "event": text("Event", width=150),
            "who": text("Who", width=190),
            "subject": text("Subject", width=120),
            "remote_address": text("Network address", width=125),
            "details": text("Details", width=450),
            "seq": text("No.", width=70),
        },
        key="events",
        alt="Events of the audit, newest first",
    )


def to_frame(rows: Sequence[Row[Any]], zone: ZoneInfo) -> pd.DataFrame:
    """Turn events into text cells, the time in the zone."""
    return pd.DataFrame(
        {
            "time": [print_local(row.at, zone) for row in rows],
            "event": [row.event for row in rows],
            "who": [row.address or row.actor for row in rows],
            "subject": [row.subject or "" for row in rows],
            "remote_address": [row.remote_address or "" for row in rows],
            "details": [describe(row.details) for row in rows],
            "seq": [str(row.seq) for row in rows],
        },
        dtype="str",
    )


def describe(value: Any) -> str:
    """Say details in one readable line: `filter: (from: …, to: …), shown: 50, text: no`."""
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(f"{name}: {_describe_detail(name, item)}" for name, item in value.items())
        case list():
            return " and ".join(map(describe, value))
        case str() if not _WORD.fullmatch(value):
            # What somebody typed reads as no further detail, and turns none that stand beside it.
            return quote(value)
        case _:
            return str(value)


def _describe_detail(name: str, value: Any) -> str:
    if value is None and name in _CLIENTS:
        return "all"
    return f"({describe(value)})" if isinstance(value, dict) else describe(value)
