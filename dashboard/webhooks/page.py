"""Webhooks: which services are told what, and what has become of each message; for admins."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import streamlit as st
from sqlalchemy import Row

from core.actor import Actor
from core.characters import quote
from core.errors import NotPossible
from core.webhooks.deliveries import State, list_deliveries, send_again
from core.webhooks.endpoints import list_endpoints, pause_endpoint, resume_endpoint
from dashboard.address.reading import expect_no_parameters
from dashboard.address.zones import browser_zone
from dashboard.session.admission import ADMINS, as_person
from dashboard.session.once import forget_made
from dashboard.session.resources import get_resources
from dashboard.session.step_up import find_fresh_admin
from dashboard.webhooks.dialogs import add_dialog, remove_dialog
from dashboard.webhooks.table import STATES, name_event, show_deliveries, show_endpoints
from dashboard.widgets.primary_button import emphasis

# Messages that are listed.
MOST_LISTED = 500

# Characters of an address that stands in a list to choose from.
LONGEST = 80

# What could not be done.
_FAILED = "webhook_failed"


def show() -> None:
    """Run the page."""
    # Whatever draws the whole page has closed the dialog that showed a secret.
    forget_made()
    person = find_fresh_admin("Webhooks", "webhooks")
    if person is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title("Webhooks")
        st.space("stretch")
        if st.button("Add webhook", type=emphasis(), icon=":material/add:", key="open_add"):
            add_dialog()
    st.caption("Other services are told what reviewers find, in signed messages that never contain a text or a name.")
    expect_no_parameters()
    database = get_resources().databases.ours
    endpoints = list_endpoints(database)
    if not endpoints:
        st.info("There are no webhooks yet.", icon=":material/webhook:")
        return
    _show_actions(endpoints)
    show_endpoints(endpoints)
    st.header("Messages")
    deliveries = list_deliveries(database, limit=MOST_LISTED)
    if not deliveries:
        st.caption("Nothing that a webhook is told of has happened yet.")
        return
    _show_sending(deliveries)
    zone = browser_zone()
    show_deliveries(deliveries, zone)
    shown = f"The latest {MOST_LISTED:,} of all. " if len(deliveries) == MOST_LISTED else ""
    st.caption(f"{shown}What has arrived is listed for 30 days. Times are those of {zone.key}.")


def _show_actions(endpoints: Sequence[Row[Any]]) -> None:
    """Let somebody choose a webhook, and pause, resume or remove it."""
    if failed := st.session_state.pop(_FAILED, None):
        st.error(failed, icon=":material/error:")
    rows = {row.endpoint_id: row for row in endpoints}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Webhook to pause or remove",
            list(rows),
            index=None if len(rows) > 1 else 0,
            format_func=lambda endpoint_id: quote(rows[endpoint_id].url, LONGEST),
            placeholder="Choose a webhook",
            width=440,
            key="chosen_webhook",
        )
        row = None if chosen is None else rows.get(chosen)
        is_paused = row is not None and row.paused_at is not None
        st.button(
            "Resume" if is_paused else "Pause",
            icon=":material/play_arrow:" if is_paused else ":material/pause:",
            disabled=row is None,
            help="What happens while it is paused is kept, and sent when it is resumed.",
            # Each has its own, so that a second press on one is never the other.
            key="resume_webhook" if is_paused else "pause_webhook",
            on_click=as_person(_pause_or_resume, ADMINS),
            args=(is_paused,),
        )
        if st.button("Remove", icon=":material/delete:", disabled=row is None, key="open_remove") and row is not None:
            remove_dialog(row.endpoint_id, quote(row.url, LONGEST))


def _pause_or_resume(person: Actor, is_paused: bool) -> None:
    change = resume_endpoint if is_paused else pause_endpoint
    # What the browser shows as chosen: the button may have been drawn for the choice before.
    endpoint_id: UUID | None = st.session_state["chosen_webhook"]
    if endpoint_id is None or not person.is_fresh:
        # The page, which was drawn in time, asks now.
        return
    try:
        change(get_resources().databases, person, endpoint_id)
    except NotPossible as error:
        st.session_state[_FAILED] = str(error)


def _show_sending(deliveries: Sequence[Row[Any]]) -> None:
    """Let somebody send a message again, or all that were given up."""
    rows = {row.delivery_id: row for row in deliveries}
    given_up = [row.delivery_id for row in deliveries if row.state == State.GIVEN_UP]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Message to send again",
            list(rows),
            index=None,
            format_func=lambda number: _name_message(rows[number]),
            placeholder="Choose a message",
            width=440,
            key="chosen_delivery",
        )
        st.button(
            "Send again",
            icon=":material/send:",
            disabled=chosen is None,
            help="It keeps its id, so the other service can tell whether it already has it.",
            key="send_again",
            on_click=as_person(_send_chosen_again, ADMINS),
        )
        if given_up:
            st.button(
                f"Send again all that were given up ({len(given_up):,})",
                icon=":material/send:",
                key="send_all_again",
                on_click=as_person(_send_again, ADMINS),
                args=(given_up,),
            )


def _name_message(row: Row[Any]) -> str:
    return f"{name_event(row.event)} · {STATES[State(row.state)]} · {row.message_id}"


def _send_chosen_again(person: Actor) -> None:
    chosen: int | None = st.session_state["chosen_delivery"]
    if chosen is not None:
        _send_again(person, [chosen])


def _send_again(person: Actor, ids: list[int]) -> None:
    if not person.is_fresh:
        return
    try:
        send_again(get_resources().databases, person, ids)
    except NotPossible as error:
        st.session_state[_FAILED] = str(error)


show()
