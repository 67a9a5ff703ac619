"""What is done to rights, each in a dialog that asks first: give them, change them, take them."""

from collections.abc import Iterable

import streamlit as st

from core.actor import Actor
from core.auth.rights import GIVEN_SCOPES, Holder, Kind, Rights, give_rights, parse_holder, take_rights
from dashboard.people.words import SCOPE_WORDS
from dashboard.session.admission import ADMINS, dialog
from dashboard.session.confirmation import confirm
from dashboard.session.once import make_once
from dashboard.session.resources import get_resources
from dashboard.widgets.client_select import find_clients, name_client
from dashboard.widgets.failure import refusals_in
from dashboard.widgets.primary_button import emphasis

PERSON, GROUP = "A person or a domain", "A group of the provider"
ALL, SOME = "All clients", "Some clients"


@dialog("Give rights", scopes=ADMINS, fresh_for="people", width="medium", on_dismiss="rerun")
def give_dialog(person: Actor, addresses: Iterable[str], groups: Iterable[str]) -> None:
    """Ask who is to have which rights, offering those who have come in, and give them."""
    kind = st.radio("Who is it?", [PERSON, GROUP], horizontal=True, key="rights_kind")
    name = st.selectbox(
        "Address or @domain" if kind == PERSON else "Name of the group",
        sorted(addresses if kind == PERSON else groups),
        index=None,
        format_func=name_client,
        placeholder="name@example.org, or @example.org" if kind == PERSON else "As the provider says it",
        accept_new_options=True,
        key=f"rights_{'who' if kind == PERSON else 'group'}",
    )
    provider = _ask_provider()
    given = _ask_rights(person, None, Rights(frozenset(), None))
    refusal = st.container()
    if st.button("Give rights", type=emphasis(), icon=":material/person_add:", key="rights_give"):
        with refusals_in(refusal):
            _give(person, parse_holder(name or "", is_group=kind == GROUP, provider=provider), given)


@dialog("Change rights", scopes=ADMINS, fresh_for="people", width="medium", on_dismiss="rerun")
def change_dialog(person: Actor, holder: Holder, held: Rights) -> None:
    """Show what somebody was given, and give them something else in its place."""
    st.text(str(holder))
    given = _ask_rights(person, holder, held)
    refusal = st.container()
    if st.button("Change rights", type=emphasis(), icon=":material/edit:", key="rights_change"):
        with refusals_in(refusal):
            _give(person, holder, given)


@dialog("Take these rights?", scopes=ADMINS, fresh_for="people", on_dismiss="rerun")
def take_dialog(person: Actor, holder: Holder) -> None:
    """Ask once more, then take."""
    st.text(str(holder))
    st.write(
        "Within 5 seconds all that was given to them here is gone, and what they download by it is cut. What the "
        "settings, or other rights, give them stays."
    )
    resources = get_resources()
    door = resources.door
    confirm(
        "Take rights",
        lambda: take_rights(
            resources.databases, person, holder, stays_admin=None if door is None else door.stays_admin
        ),
        icon=":material/person_remove:",
        key="rights_take",
        keep="Keep them",
        keep_key="rights_keep",
    )


def _ask_provider() -> str:
    """Ask who says who somebody is, where there are several who could."""
    providers = get_resources().providers
    if len(providers) < 2:
        return ""
    return str(st.selectbox("Signed in with", providers, key="rights_provider"))


def _ask_rights(person: Actor, holder: Holder | None, held: Rights) -> Rights:
    """Ask for rights and clients, beginning with those that are held, by nobody yet where these are to be given."""
    # Fields of another dialog keep nothing for this one, also where it is opened before the run that would forget them:
    # each has keys for whose rights it asks, and what it began with.
    mark = hash((holder, tuple(sorted(held.scopes)), held.clients))
    scopes = st.multiselect(
        "They may",
        GIVEN_SCOPES,
        default=[scope for scope in GIVEN_SCOPES if scope in held.scopes],
        format_func=SCOPE_WORDS.__getitem__,
        placeholder="Choose what they may",
        key=f"rights_scopes_{mark}",
    )
    reach = st.radio(
        "For", [ALL, SOME], index=0 if held.clients is None else 1, horizontal=True, key=f"rights_reach_{mark}"
    )
    if reach == ALL:
        return Rights(frozenset(scopes), None)
    chosen = sorted(held.clients or ())
    known = find_clients(get_resources().databases.source, person.wall)
    clients = st.multiselect(
        "Clients",
        [*chosen, *(client for client in known if client not in chosen)],
        default=chosen,
        format_func=name_client,
        placeholder="Choose clients, or type their ids",
        accept_new_options=True,
        key=f"rights_clients_{mark}",
    )
    return Rights(frozenset(scopes), frozenset(clients))


def _give(person: Actor, holder: Holder, given: Rights) -> None:
    resources = get_resources()
    door = resources.door
    make_once(
        lambda: give_rights(
            resources.databases,
            person,
            holder,
            given,
            providers=resources.providers,
            stays_admin=None if door is None else door.stays_admin,
        )
    )
    st.rerun()


def list_known(kind: Kind, names: Iterable[str], given: Iterable[Holder]) -> list[str]:
    """List the names of a kind that are known and were given nothing yet."""
    taken = {holder.name for holder in given if holder.kind is kind}
    return [name for name in dict.fromkeys(names) if name not in taken]
