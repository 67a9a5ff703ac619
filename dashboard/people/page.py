"""People: who has come in, what they may see and do, and who has given it to them; for admins."""

from collections.abc import Sequence
from typing import Any

import streamlit as st
from sqlalchemy import Row

from core.auth.people import MOST_PEOPLE, Visitor, list_people
from core.auth.rights import Kind, holder_of, list_rights, rights_of
from dashboard.address.reading import expect_no_parameters
from dashboard.address.zones import browser_zone
from dashboard.people.dialogs import change_dialog, give_dialog, list_known, take_dialog
from dashboard.people.table import show_people, show_rights
from dashboard.people.words import name_holder
from dashboard.session.resources import get_resources
from dashboard.session.step_up import find_fresh_admin
from dashboard.widgets.primary_button import emphasis


def show() -> None:
    """Run the page."""
    resources = get_resources()
    person = find_fresh_admin("People", "people")
    if person is None:
        return
    rows = list_rights(resources.databases, person)
    visitors = list_people(resources.databases, person, resources.door)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title("People")
        st.space("stretch")
        if st.button("Give rights", type=emphasis(), icon=":material/person_add:", key="open_give"):
            _open_give(rows, visitors)
    expect_no_parameters()
    st.caption("Rights given here are added to the lists in the settings, which stay as they are.")
    if resources.door is None:
        st.caption("Nobody signs in here, so rights take effect once people do.")
    zone = browser_zone()
    if rows:
        _show_actions(rows)
        show_rights(rows, zone)
    else:
        st.info("No rights are given yet: the lists in the settings alone decide.", icon=":material/group:")
    st.header("Who has signed in")
    came = [visitor for visitor in visitors if visitor.provider is not None]
    if came:
        show_people(came, zone)
    else:
        st.caption("Nobody has signed in yet.")
    if rows or came:
        shown = f"The {MOST_PEOPLE:,} seen most recently. " if len(visitors) == MOST_PEOPLE else ""
        st.caption(f"{shown}Times are those of {zone.key}.")


def _open_give(rows: Sequence[Row[Any]], visitors: Sequence[Visitor]) -> None:
    given = [holder_of(row) for row in rows]
    addresses = [visitor.address for visitor in visitors if visitor.provider is not None]
    groups = [group for visitor in visitors for group in visitor.groups]
    give_dialog(list_known(Kind.PERSON, addresses, given), list_known(Kind.GROUP, groups, given))


def _show_actions(rows: Sequence[Row[Any]]) -> None:
    """Let somebody choose whose rights to change or to take."""
    held = {holder_of(row): rights_of(row) for row in rows}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Rights to change or take away",
            list(held),
            index=None,
            format_func=name_holder,
            placeholder="Choose whose",
            width=440,
            key="chosen_rights",
        )
        is_open = chosen in held
        if st.button("Change", icon=":material/edit:", disabled=not is_open, key="open_change") and chosen in held:
            change_dialog(chosen, held[chosen])
        if st.button("Take", icon=":material/person_remove:", disabled=not is_open, key="open_take") and chosen in held:
            take_dialog(chosen)


show()
