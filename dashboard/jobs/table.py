"""The preview: a page of jobs as a table whose cells say everything in words."""

from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st
from sqlalchemy import Row

from core.instants import print_local
from core.jobs.filter import Category
from core.jobs.filter_sentence import CATEGORY_NAMES
from core.jobs.hidden_text import Texts, find_hidden, find_hidden_reason
from core.jobs.wall import Wall
from dashboard.session.admission import admitted
from dashboard.widgets.table import ROW_HEIGHT, fit_height
from dashboard.widgets.words import DECISIONS, SHORT_FLAGS

KEY = "jobs"

# Headings of the narrow columns; the whole name is their help.
SHORT_NAMES = {Category.AI_ADULT_GENERAL: "Adult", Category.UNDERAGE: "Underage", Category.NSFW: "NSFW"}

# Pixels that each column needs, in the order in which they stand; texts share what the others leave, in these parts.
# They get no more: what is written from right to left would begin beyond the edge of the list.
PARTS = {"reason": 2, "prompt": 3}
WIDTHS = {
    "time": 153,
    "decision": 98,
    **{category.value: 72 for category in Category},
    "reason": 104,
    "prompt": 330,
    "type": 80,
    "status": 100,
    "client": 130,
    "id": 290,
}

# Which columns give way last: those of one group are shown together or not at all.
PRIORITIES: tuple[tuple[str, ...], ...] = (
    ("time", "decision"),
    tuple(category.value for category in Category),
    *(("reason",), ("prompt",), ("type",), ("client",), ("status",), ("id",)),
)

# The same where the filter asks for one decision, which is then in each row: it gives way before reason and categories,
# and the reason is not pressed to the least for its sake.
OF_ONE_DECISION = (("time",), ("reason",), PRIORITIES[1], ("decision",), *PRIORITIES[3:])
ROOMY_REASON = 120

# Pixels of a time that says its offset, too.
OFFSET_WIDTH = 52

# Seconds within which a browser may still say what was chosen before, because it has not drawn yet what J opened.
LATE = 2.0

# Pixels of the column in which rows are chosen.
MARK_WIDTH = 36

# A few rows are seen in any window.
LEAST_HEIGHT = 6 * ROW_HEIGHT


def show_jobs(
    rows: Sequence[Row[Any]],
    zone: ZoneInfo,
    *,
    texts: Texts,
    wall: Wall,
    opened: UUID | None,
    on_open: Callable[[UUID | None], None],
    is_of_one_decision: bool,
    width: int,
    height: int,
) -> None:
    """Show jobs in the order given, and those of their texts that were read, in as many columns as the width holds.

    The job that is `opened` is the chosen row; `on_open` hears which one somebody chooses (None: none any more).
    `is_of_one_decision` says that the filter asks for one.
    """
    chosen = [number for number, row in enumerate(rows) if row.job_id == opened]
    st.session_state[KEY] = {"selection": {"rows": chosen, "columns": [], "cells": []}}
    shown: dict[tuple[int, ...], float] = st.session_state.setdefault("rows_shown", {})
    for numbers in (*list(shown)[-1:], tuple(chosen)):
        shown.pop(numbers, None)
        shown[numbers] = monotonic()

    def hear() -> None:
        numbers = st.session_state[KEY]["selection"]["rows"]
        if numbers == chosen or monotonic() - shown.get(tuple(numbers), -LATE) < LATE:
            return
        # Who has clicked knows what was chosen.
        shown.clear()
        on_open(rows[numbers[0]].job_id if numbers and numbers[0] < len(rows) else None)

    frame = to_frame(rows, zone, texts=texts, wall=wall)
    widen = OFFSET_WIDTH if frame["time"].str.len().max() > len("2026-04-15 12:00:00") else 0
    order = list_columns([str(name) for name in frame], width - widen, is_of_one_decision=is_of_one_decision)
    st.dataframe(
        frame,
        hide_index=True,
        height=fit_height(len(rows), max(height, LEAST_HEIGHT)),
        column_order=order,
        row_height=ROW_HEIGHT,
        column_config=_columns(zone, fit_widths(order, width, widen=widen)),
        key=KEY,
        on_select=admitted(hear),
        selection_mode="single-row",
        alt="Jobs of the chosen period, newest first. Each row opens its job; so do the keys J and K.",
    )


def to_frame(rows: Sequence[Row[Any]], zone: ZoneInfo, *, texts: Texts, wall: Wall) -> pd.DataFrame:
    """Turn jobs into text cells: the time in the zone, decisions and flags in words."""
    columns: dict[str, list[str]] = {
        "time": [print_local(row.created_at, zone) for row in rows],
        "decision": [DECISIONS[row.is_prohibited] for row in rows],
    }
    for category in Category:
        columns[category.value] = [SHORT_FLAGS[row._mapping[category.column]] for row in rows]
    columns |= {"type": [row.type for row in rows], "status": [row.status for row in rows]}
    columns["reason"] = [_show_or_say(row.reason, find_hidden_reason(row, texts, wall)) for row in rows]
    if texts is not Texts.NONE:
        columns["prompt"] = [_show_or_say(row.prompt, find_hidden(row, texts, wall)) for row in rows]
    columns |= {"client": [row.client_id for row in rows], "id": [str(row.job_id) for row in rows]}
    return pd.DataFrame(columns, dtype="str")


def _show_or_say(text: str | None, hidden: str | None) -> str:
    return f"▒ Hidden: {hidden}" if hidden else _first_line(text)


def _first_line(text: str | None) -> str:
    """Return the first line that holds anything."""
    return next((line for line in (text or "").splitlines() if line.strip()), "")


def list_columns(names: Sequence[str], width: int, *, is_of_one_decision: bool = False) -> list[str]:
    """Choose the columns that a width in pixels holds whole, the most telling ones first."""
    shown, left = [], width - MARK_WIDTH
    widths = WIDTHS | ({"reason": ROOMY_REASON} if is_of_one_decision else {})
    for group in OF_ONE_DECISION if is_of_one_decision else PRIORITIES:
        wanted = [name for name in group if name in names]
        left -= sum(widths[name] for name in wanted)
        if left < 0:
            break
        shown += wanted
    return [name for name in WIDTHS if name in shown]


def fit_widths(shown: Sequence[str], width: int, *, widen: int = 0) -> dict[str, int]:
    """Share a width in pixels out among columns: texts get what the others leave."""
    widths = {name: WIDTHS[name] for name in shown} | {"time": WIDTHS["time"] + widen}
    left = width - MARK_WIDTH - sum(widths[name] for name in shown if name not in PARTS)
    parts = {name: part for name, part in PARTS.items() if name in shown}
    return widths | {name: left * part // sum(parts.values()) for name, part in parts.items()}


def _columns(zone: ZoneInfo, widths: Mapping[str, int]) -> dict[str, Any]:
    text = st.column_config.TextColumn
    headings = {
        "time": f"Created ({zone.key})",
        "decision": "Decision",
        **{category.value: SHORT_NAMES[category] for category in Category},
        "reason": "Reason (first line)",
        "prompt": "Prompt (first line)",
        "type": "Type",
        "status": "Status",
        "client": "Client",
        "id": "Job id",
    }
    helps = {category.value: f"{CATEGORY_NAMES[category]}; – where no log says it." for category in Category}
    return {
        name: text(heading, width=widths.get(name, WIDTHS[name]), help=helps.get(name))
        for name, heading in headings.items()
    }
