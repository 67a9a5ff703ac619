"""What is done to webhooks that asks first: make one, and remove one.

A new secret lives in a variable of the one run that shows it, as a new key does (`dashboard/keys/dialogs.py`).
"""

from uuid import UUID

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.actor import Actor, Forbidden
from core.errors import InvalidParameter, NotPossible
from core.webhooks.endpoints import create_endpoint, remove_endpoint
from core.webhooks.events import WebhookEvent
from core.webhooks.target import read_networks
from dashboard.session.admission import ADMINS, dialog
from dashboard.session.once import make_once
from dashboard.session.resources import get_resources
from dashboard.session.step_up import ask_again
from dashboard.webhooks.table import EVENTS
from dashboard.widgets.failure import show_refusal
from dashboard.widgets.primary_button import emphasis

ONE, ALL = "One client", "All clients"

# The button below a new secret.
DONE = "webhook_done"


@dialog("Add a webhook", scopes=ADMINS, width="medium", on_dismiss="rerun")
def add_dialog(person: Actor) -> None:
    """Ask who is to be told what, then show the secret."""
    if not person.is_fresh:
        ask_again("webhooks")
        return
    if st.session_state.get(DONE):
        st.rerun()
    place = st.empty()
    with place.container():
        url = st.text_input("Address", placeholder="https://example.com/webhooks", max_chars=2_000, key="webhook_url")
        events = st.multiselect(
            "Send when", list(EVENTS), default=list(EVENTS), format_func=EVENTS.__getitem__, key="webhook_events"
        )
        reach = st.radio("For the jobs of", [ONE, ALL], horizontal=True, key="webhook_reach")
        client = None if reach == ALL else st.text_input("Client id", max_chars=500, key="webhook_client")
        is_asked = st.button("Add webhook", type=emphasis(), icon=":material/webhook:", key="webhook_add")
    if is_asked:
        _show_secret(place, person, url, events, None if client is None else client.strip())


def _show_secret(
    place: DeltaGenerator, person: Actor, url: str, events: list[WebhookEvent], client_id: str | None
) -> None:
    """Make the endpoint and put its secret in the place of the questions, or say why there is none."""
    resources = get_resources()
    try:
        networks = read_networks(resources.settings)
        secret = make_once(
            lambda: create_endpoint(
                resources.databases, person, url=url, events=events, client_id=client_id, networks=networks
            )
        )
    except (InvalidParameter, NotPossible, Forbidden) as error:
        show_refusal(error)
        return
    # Emptied first: what follows is shorter than the questions, and the rest of them would stay.
    place.empty()
    with place.container():
        st.warning(
            "This secret signs the messages. It will not be shown again: copy it before you close this.",
            icon=":material/key:",
        )
        st.code(secret, language=None, wrap_lines=True)
        st.write("The other service verifies each message with it, with any Standard Webhooks library.")
        # Seen at the start of the next run, which shows the secret no more.
        st.button("Done", key=DONE)


@dialog("Remove this webhook?", scopes=ADMINS, on_dismiss="rerun")
def remove_dialog(person: Actor, endpoint_id: UUID, address: str) -> None:
    """Ask once more, then remove."""
    if not person.is_fresh:
        ask_again("webhooks")
        return
    st.text(address)
    st.write("Nothing more is sent to it, not even what is waiting, and its secret is deleted. This cannot be undone.")
    with st.container(horizontal=True):
        is_sure = st.button("Remove webhook", type=emphasis(), icon=":material/delete:", key="webhook_remove")
        if st.button("Keep it", key="webhook_keep"):
            st.rerun()
    if is_sure:
        try:
            remove_endpoint(get_resources().databases, person, endpoint_id)
        except (NotPossible, Forbidden) as error:
            show_refusal(error)
        else:
            st.rerun()
