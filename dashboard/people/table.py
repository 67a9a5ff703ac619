"""People and their rights as tables whose cells say everything in words, and are plain text."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st
from sqlalchemy import Row

from core.auth.people import Visitor
from core.auth.rights import holder_of, rights_of
from dashboard.people.words import name_clients, name_holder, name_scopes
from dashboard.widgets.table import ROW_HEIGHT, fit_height
from dashboard.widgets.words import name_actor


def show_rights(rows: Sequence[Row[Any]], zone: ZoneInfo) -> None:
    """Show what was given, in the order given."""
    text = st.column_config.TextColumn
    _show(
        pd.DataFrame(
            {
                "who": [name_holder(holder_of(row)) for row in rows],
                "may": [name_scopes(rights_of(row).scopes) for row in rows],
                "clients": [name_clients(rights_of(row)) for row in rows],
                "giver": [name_actor(row.address, row.given_by) for row in rows],
                "given": [_time(row.given_at, zone) for row in rows],
            },
            dtype="str",
        ),
        {
            "who": text("Who", width=300, pinned=True),
            "may": text("May", width=260),
            "clients": text("Clients", width=200),
            "giver": text("Given by", width=180),
            "given": text("Given", width=140),
        },
        key="rights",
        alt="Rights that were given: to people first, then to groups, then to domains",
    )


def show_people(visitors: Sequence[Visitor], zone: ZoneInfo) -> None:
    """Show who has come in, in the order given."""
    text = st.column_config.TextColumn
    _show(
        pd.DataFrame(
            {
                "who": [visitor.address for visitor in visitors],
                "may": [name_scopes(visitor.held.scopes) for visitor in visitors],
                "clients": [name_clients(visitor.held) for visitor in visitors],
                "seen": [_time(visitor.seen_at, zone) for visitor in visitors],
                "came": [_time(visitor.came_at, zone) for visitor in visitors],
                "groups": [", ".join(visitor.groups) for visitor in visitors],
                "person": [visitor.person for visitor in visitors],
            },
            dtype="str",
        ),
        {
            "who": text("Who", width=300, pinned=True),
            "may": text("May now", width=260),
            "clients": text("Clients", width=200),
            "seen": text("Last seen", width=140, help="To the minute."),
            "came": text("First sign-in", width=140),
            "groups": text("Groups", width=160, help="Those that the provider said at the last sign-in."),
            "person": text("Name in the audit", width=260),
        },
        key="visitors",
        alt="People who have signed in, those who were seen last first",
    )


def _show(frame: pd.DataFrame, columns: dict[str, Any], *, key: str, alt: str) -> None:
    st.dataframe(
        frame,
        hide_index=True,
        height=fit_height(len(frame)),
        row_height=ROW_HEIGHT,
        column_config=columns,
        key=key,
        alt=alt,
    )


def _time(instant: datetime, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M}"
