"""Keys: who may ask the API, since when and until when; for admins."""

from collections.abc import Sequence
from typing import Any

import streamlit as st
from sqlalchemy import Row

from core.actor import Scope
from core.auth.api_keys import KeyState, list_keys
from dashboard.address.reading import expect_no_parameters
from dashboard.address.zones import browser_zone
from dashboard.keys.dialogs import create_dialog, revoke_dialog, rotate_dialog
from dashboard.keys.table import isolate, prefix, show_keys
from dashboard.session.once import forget_made
from dashboard.session.resources import get_resources
from dashboard.session.step_up import find_fresh_admin
from dashboard.widgets.primary_button import emphasis


def show() -> None:
    """Run the page."""
    # Whatever draws the whole page has closed the dialog that showed a secret.
    forget_made()
    person = find_fresh_admin("Keys", "keys")
    if person is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title("Keys")
        st.space("stretch")
        if st.button("Create key", type=emphasis(), icon=":material/add:", key="open_create"):
            create_dialog()
    expect_no_parameters()
    st.caption("An API key sees the jobs of one client or of all. It is shown once, when it is made.")
    newest_first = list_keys(get_resources().databases.ours)[::-1]
    if not newest_first:
        st.info("There are no keys yet.", icon=":material/key:")
        return
    rows = sorted(newest_first, key=lambda row: not KeyState(row.state).opens)
    _show_actions([row for row in rows if KeyState(row.state).opens])
    zone = browser_zone()
    show_keys(rows, zone)
    st.caption(f"Times are those of {zone.key}.")


def _show_actions(rows: Sequence[Row[Any]]) -> None:
    """Let somebody choose a key that opens, and rotate or revoke it."""
    keys = {row.key_id: row for row in rows}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Key to rotate or revoke",
            list(keys),
            index=None,
            format_func=lambda key_id: f"{prefix(key_id)} {isolate(keys[key_id].name)}",
            placeholder="Choose a key",
            disabled=not keys,
            width=440,
            key="chosen_key",
        )
        row = keys.get(chosen or "")
        is_rotating = row is not None and KeyState(row.state) is KeyState.ROTATING
        if (
            st.button(
                "Rotate",
                icon=":material/autorenew:",
                disabled=row is None or is_rotating,
                help="Another key has already taken its place." if is_rotating else None,
                key="open_rotate",
            )
            and row is not None
        ):
            rotate_dialog(row.key_id, row.name, can_export=Scope.JOB_READ in row.scopes)
        if st.button("Revoke", icon=":material/block:", disabled=row is None, key="open_revoke") and row is not None:
            revoke_dialog(row.key_id, row.name)


show()
