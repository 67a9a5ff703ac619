"""Holds and erasures as tables whose cells say everything in words, and are plain text."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st
from sqlalchemy import Row

from core.characters import quote
from core.instants import print_instant
from dashboard.widgets.table import ROW_HEIGHT, fit_height
from dashboard.widgets.words import name_actor

# Characters of a client's id, and of a reason, that stand in a list to choose from.
_LONGEST = 60


def show_holds(rows: Sequence[Row[Any]], zone: ZoneInfo) -> None:
    """Show holds in the order given."""
    columns = {
        "What is held": [name_held(row) for row in rows],
        "State": ["✓ In force" if row.ended_at is None else f"○ Ended {_time(row.ended_at, zone)}" for row in rows],
        "Why": [row.reason for row in rows],
        "Placed": [_time(row.placed_at, zone) for row in rows],
        "Placed by": [name_actor(row.address, row.placed_by) for row in rows],
    }
    _show(columns, "holds", "Holds: those in force first, then the newest first")


def show_erasures(rows: Sequence[Row[Any]], zone: ZoneInfo) -> None:
    """Show erasures in the order given."""
    columns = {
        "Erased": [_time(row.at, zone) for row in rows],
        "What": [_name_erased(row.details) for row in rows],
        "Jobs": [_count(row.details, "jobs") for row in rows],
        "Notes and drafts": [_count(row.details, "notes", "drafts") for row in rows],
        "Exports that may hold them": [
            f"{len(row.details.get('exports', [])) + row.details.get('more_exports', 0):,}" for row in rows
        ],
        "Erased by": [name_actor(row.address, row.actor) for row in rows],
    }
    _show(columns, "erasures", "What was erased, the newest first")


def name_held(row: Row[Any]) -> str:
    """Say which jobs a hold keeps; all that is said is true of each of them."""
    parts = [f"client {quote(row.client_id, _LONGEST)}"] if row.client_id is not None else []
    parts += [f"job {row.job_id}"] if row.job_id is not None else []
    if row.created_from is not None:
        parts.append(f"from {_instant(row.created_from)} to {_instant(row.created_to)}")
    return ", ".join(parts)


def name_hold(row: Row[Any]) -> str:
    """Tell a hold from others that keep the same jobs: each has a reason of its own."""
    return f"{name_held(row)}: {quote(row.reason, _LONGEST)}"


def _name_erased(details: Mapping[str, Any]) -> str:
    return f"job {details['job']}" if "job" in details else f"all jobs of client {quote(str(details.get('client')))}"


def _count(details: Mapping[str, Any], *names: str) -> str:
    return f"{sum(details.get(name, 0) for name in names):,}"


def _instant(instant: datetime) -> str:
    """Write a bound as the command takes it: a day of UTC, where it is the beginning of one."""
    printed = print_instant(instant)
    day, _, time = printed.partition("T")
    return day if not time.strip("0:.Z") else printed


def _time(instant: datetime, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M}"


def _show(columns: Mapping[str, Sequence[str]], key: str, alt: str) -> None:
    frame = pd.DataFrame(columns, dtype="str")
    st.dataframe(frame, hide_index=True, height=fit_height(len(frame)), row_height=ROW_HEIGHT, key=key, alt=alt)
