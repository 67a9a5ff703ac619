"""The preview: a page of jobs as a table whose cells say everything in words."""

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st
from sqlalchemy import Row

from core.filter_sentence import CATEGORY_NAMES
from core.filters import Category

# Sign and word, so that no state is told by colour alone.
DECISIONS = {True: "✕ Rejected", False: "✓ Passed", None: "? Undecided"}
FLAGS = {True: "● Yes", False: "○ No", None: "– Not evaluated"}

# Pixels, as Streamlit draws a row and its header; a page of any size keeps the pager on the screen.
ROW_HEIGHT = 35
MOST_HEIGHT = 16 * ROW_HEIGHT


def show_jobs(rows: Sequence[Row[Any]], zone: ZoneInfo, *, with_text: bool) -> None:
    """Show jobs in the order given; prompts only where they were read `with_text`."""
    height = min(MOST_HEIGHT, (len(rows) + 1) * ROW_HEIGHT + 3)
    st.dataframe(
        to_frame(rows, zone, with_text=with_text),
        hide_index=True,
        height=height,
        row_height=ROW_HEIGHT,
        column_config=_columns(zone),
        key="jobs",
        alt="Jobs of the chosen period, newest first",
    )


def to_frame(rows: Sequence[Row[Any]], zone: ZoneInfo, *, with_text: bool) -> pd.DataFrame:
    """Turn jobs into text cells: the time in the zone, decisions and flags in words."""
    columns: dict[str, list[str]] = {
        "time": [f"{row.created_at.astimezone(zone):%Y-%m-%d %H:%M:%S}" for row in rows],
        "decision": [DECISIONS[row.is_prohibited] for row in rows],
    }
    for category in Category:
        columns[category.value] = [FLAGS[row._mapping[category.column]] for row in rows]
    columns |= {"type": [row.type for row in rows], "status": [row.status for row in rows]}
    if with_text:
        columns |= {"prompt": [row.prompt or "" for row in rows], "reason": [row.reason or "" for row in rows]}
    columns |= {"client": [row.client_id for row in rows], "id": [str(row.job_id) for row in rows]}
    return pd.DataFrame(columns, dtype="str")


def _columns(zone: ZoneInfo) -> dict[str, Any]:
    text = st.column_config.TextColumn
    return {
        "time": text(f"Created ({zone.key})", width=180, pinned=True),
        "decision": text("Decision", width=110),
        **{category.value: text(name, width=130) for category, name in CATEGORY_NAMES.items()},
        "type": text("Type", width=80),
        "status": text("Status", width=100),
        "prompt": text("Prompt (beginning)", width=420),
        "reason": text("Reason (beginning)", width=220),
        "client": text("Client", width=130),
        "id": text("Job id", width=290),
    }
