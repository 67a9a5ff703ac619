"""Asks who takes part in something, some of those who have ever signed in or everybody, and until when."""

from collections.abc import Mapping, Sequence
from datetime import date

import streamlit as st


def ask_people_and_day(
    addresses: Mapping[str, str],
    *,
    key: str,
    meaning: str,
    chosen: Sequence[str] | None = None,
    label: str = "Last day (UTC)",
    last_day: date | None = None,
    earliest: date | None = None,
) -> tuple[tuple[str, ...] | None, date | None]:
    """Ask for both, beginning with those given; return the names, or None for everybody, and the day, if there is one.

    `addresses` are what is shown, by name. `meaning` says what the day means.
    """
    # Side by side, so that what asks for them fits into a window.
    beside, then = st.columns(2)
    people: Sequence[str] = beside.multiselect(
        "Who takes part",
        list(addresses),
        default=[person for person in chosen or () if person in addresses],
        format_func=lambda person: addresses[person],
        placeholder="Everybody",
        key=f"{key}_people",
    )
    day: date | None = then.date_input(
        label, last_day, min_value=earliest, format="YYYY-MM-DD", key=f"{key}_last", help=meaning
    )
    return tuple(people) or None, day
