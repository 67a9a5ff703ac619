"""What is done to webhooks that asks first: make one, and remove one."""

from uuid import UUID

import streamlit as st

from core.actor import Actor
from core.webhooks.endpoints import create_endpoint, remove_endpoint
from core.webhooks.target import read_networks
from dashboard.session.admission import ADMINS, dialog
from dashboard.session.confirmation import confirm
from dashboard.session.new_secret import ask_to_make, close_if_done, show_new_secret
from dashboard.session.resources import get_resources
from dashboard.webhooks.table import EVENTS
from dashboard.widgets.client_select import CHOOSE_CLIENT, ask_client

ONE, ALL = "One client", "All clients"


@dialog("Add a webhook", scopes=ADMINS, fresh_for="webhooks", width="medium", dismissible=False)
def add_dialog(person: Actor) -> None:
    """Ask who is to be told what, then show the secret."""
    close_if_done()
    databases, place = get_resources().databases, st.empty()
    with place.container():
        url = st.text_input("Address", placeholder="https://example.com/webhooks", max_chars=2_000, key="webhook_url")
        events = st.multiselect(
            "Send when", list(EVENTS), default=list(EVENTS), format_func=EVENTS.__getitem__, key="webhook_events"
        )
        reach = st.radio("For the jobs of", [ONE, ALL], horizontal=True, key="webhook_reach")
        client = None
        if reach == ONE:
            client = ask_client(databases.source, person.wall, placeholder=CHOOSE_CLIENT, key="webhook_client")
        is_asked, refusal = ask_to_make("Add webhook", icon=":material/webhook:", key="webhook_add")

    def create() -> str:
        return create_endpoint(
            databases,
            person,
            url=url,
            events=events,
            client_id=client,
            networks=read_networks(get_resources().settings),
        )

    def explain() -> None:
        st.write("The other service verifies each message with it, with any Standard Webhooks library.")

    if is_asked:
        show_new_secret(place, refusal, create, "This secret signs the messages.", explain=explain)


@dialog("Remove this webhook?", scopes=ADMINS, fresh_for="webhooks", on_dismiss="rerun")
def remove_dialog(person: Actor, endpoint_id: UUID, address: str) -> None:
    """Ask once more, then remove."""
    st.text(address)
    st.write("Nothing more is sent to it, not even what is waiting, and its secret is deleted. This cannot be undone.")
    confirm(
        "Remove webhook",
        lambda: remove_endpoint(get_resources().databases, person, endpoint_id),
        icon=":material/delete:",
        key="webhook_remove",
        keep="Keep it",
        keep_key="webhook_keep",
    )
