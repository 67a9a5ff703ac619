"""Retention: what is held and what was erased; for admins."""

from collections.abc import Sequence
from typing import Any

import streamlit as st
from sqlalchemy import Row

from core.keeping.erasures import list_erasures
from core.keeping.holds import list_holds
from core.program import COMMAND
from dashboard.address.reading import expect_no_parameters
from dashboard.address.zones import browser_zone
from dashboard.retention.dialogs import end_dialog, place_dialog
from dashboard.retention.table import name_hold, show_erasures, show_holds
from dashboard.session.resources import get_resources
from dashboard.session.step_up import find_fresh_admin
from dashboard.widgets.primary_button import emphasis

# Erasures that are listed.
MOST_LISTED = 500


def show() -> None:
    """Run the page."""
    person = find_fresh_admin("Retention", "holds")
    if person is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title("Retention")
        st.space("stretch")
        if st.button("Place a hold", type=emphasis(), icon=":material/lock:", key="open_place"):
            place_dialog()
    expect_no_parameters()
    databases = get_resources().databases
    zone = browser_zone()
    st.caption("Jobs under a hold cannot be erased here. While there is any hold, nothing that is evidence is removed.")
    newest_first = list_holds(databases, ended=True)[::-1]
    holds = sorted(newest_first, key=lambda row: row.ended_at is not None)
    if holds:
        _show_ending([row for row in holds if row.ended_at is None])
        show_holds(holds, zone)
    else:
        st.info("No job is held.", icon=":material/lock_open:")
    st.header("Erased for good")
    st.caption(
        f"Erasing is a command, run as the owner of the tables: “{COMMAND} erase --job ID”, or “--client ID”. "
        "It names the exports that may hold the jobs, as the audit does."
    )
    erasures = list_erasures(databases, limit=MOST_LISTED)
    if not erasures:
        st.caption("Nothing has been erased yet.")
    else:
        show_erasures(erasures, zone)
    if holds or erasures:
        shown = f"The latest {MOST_LISTED:,} of all. " if len(erasures) == MOST_LISTED else ""
        st.caption(f"{shown}Times are those of {zone.key}.")


def _show_ending(holds: Sequence[Row[Any]]) -> None:
    """Let somebody choose a hold that is in force, and end it."""
    rows = {row.hold_id: row for row in holds}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Hold to end",
            list(rows),
            index=None if len(rows) > 1 else 0,
            format_func=lambda hold_id: name_hold(rows[hold_id]),
            placeholder="Choose a hold",
            width=440,
            key="chosen_hold",
        )
        row = None if chosen is None else rows.get(chosen)
        if st.button("End hold", icon=":material/lock_open:", disabled=row is None, key="open_end") and row is not None:
            end_dialog(row.hold_id, name_hold(row))


show()
