"""The preview: a page of jobs as a table whose cells say everything in words."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st
from sqlalchemy import Row

from core.jobs.filter import Category
from core.jobs.filter_sentence import CATEGORY_NAMES
from core.jobs.hidden_text import Texts, find_hidden
from dashboard.session.admission import admitted
from dashboard.widgets.table import MOST_HEIGHT, ROW_HEIGHT
from dashboard.widgets.words import DECISIONS, FLAGS

KEY = "jobs"


def show_jobs(
    rows: Sequence[Row[Any]],
    zone: ZoneInfo,
    *,
    texts: Texts,
    opened: UUID | None,
    on_open: Callable[[UUID | None], None],
) -> None:
    """Show jobs in the order given, and those of their texts that were read.

    The job that is `opened` is the chosen row; `on_open` hears which one somebody chooses (None: none any more).
    """
    chosen = [number for number, row in enumerate(rows) if row.job_id == opened]
    st.session_state[KEY] = {"selection": {"rows": chosen, "columns": [], "cells": []}}

    def hear() -> None:
        numbers = st.session_state[KEY]["selection"]["rows"]
        on_open(rows[numbers[0]].job_id if numbers and numbers[0] < len(rows) else None)

    st.dataframe(
        to_frame(rows, zone, texts=texts),
        hide_index=True,
        height=min(MOST_HEIGHT, (len(rows) + 1) * ROW_HEIGHT + 3),
        row_height=ROW_HEIGHT,
        column_config=_columns(zone),
        key=KEY,
        on_select=admitted(hear),
        selection_mode="single-row",
        alt="Jobs of the chosen period, newest first. Each row opens its job; so do the keys J and K.",
    )


def to_frame(rows: Sequence[Row[Any]], zone: ZoneInfo, *, texts: Texts) -> pd.DataFrame:
    """Turn jobs into text cells: the time in the zone, decisions and flags in words."""
    columns: dict[str, list[str]] = {
        "time": [f"{row.created_at.astimezone(zone):%Y-%m-%d %H:%M:%S}" for row in rows],
        "decision": [DECISIONS[row.is_prohibited] for row in rows],
    }
    for category in Category:
        columns[category.value] = [FLAGS[row._mapping[category.column]] for row in rows]
    columns |= {"type": [row.type for row in rows], "status": [row.status for row in rows]}
    if texts is not Texts.NONE:
        hidden = [find_hidden(row, texts) for row in rows]
        for name in ("prompt", "reason"):
            columns[name] = [
                f"▒ Hidden: {why}" if why else _first_line(row._mapping[name])
                for row, why in zip(rows, hidden, strict=True)
            ]
    columns |= {"client": [row.client_id for row in rows], "id": [str(row.job_id) for row in rows]}
    return pd.DataFrame(columns, dtype="str")


def _first_line(text: str | None) -> str:
    """Return the first line that holds anything."""
    return next((line for line in (text or "").splitlines() if line.strip()), "")


def _columns(zone: ZoneInfo) -> dict[str, Any]:
    text = st.column_config.TextColumn
    return {
        "time": text(f"Created ({zone.key})", width=180, pinned=True),
        "decision": text("Decision", width=110),
        **{category.value: text(name, width=130) for category, name in CATEGORY_NAMES.items()},
        "type": text("Type", width=80),
        "status": text("Status", width=100),
        "prompt": text("Prompt (first line)", width=420),
        "reason": text("Reason (first line)", width=220),
        "client": text("Client", width=130),
        "id": text("Job id", width=290),
    }
