"""Asks who takes part in something: some of those who have ever signed in, or everybody."""

from collections.abc import Mapping, Sequence

import streamlit as st


def ask_people(addresses: Mapping[str, str], *, key: str, chosen: Sequence[str] = ()) -> tuple[str, ...] | None:
    """Ask; return the names, or None for everybody. `addresses` are what is shown, by name."""
    people: Sequence[str] = st.multiselect(
        "Who takes part",
        list(addresses),
        default=[person for person in chosen if person in addresses],
        format_func=lambda person: addresses[person],
        placeholder="Everybody",
        key=key,
    )
    return tuple(people) or None
