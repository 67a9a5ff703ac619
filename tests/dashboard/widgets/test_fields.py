"""Fields that follow the address."""

import pytest
import streamlit as st

from dashboard.widgets.fields import name_field, read_field


def test_a_field_that_is_to_show_something_else_is_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the browser sends of the one before changes nothing; one that holds the value already keeps the focus."""
    state: dict[str, object] = {}
    monkeypatch.setattr(st, "session_state", state)

    first = name_field("day", "/?range=7d", 23)
    drawn = read_field("day")
    state[first] = 24
    again = name_field("day", "/?range=7d", 23)
    typed = read_field("day")
    kept = name_field("day", "/?from=24", 24)
    other = name_field("day", "/?range=30d", 31)
    state[kept] = 25
    shown = read_field("day")
    undone = name_field("day", "/?range=7d", 23)

    assert (first, drawn, again, typed, kept) == ("day_1", 23, "day_1", 24, "day_1")
    assert (other, shown, undone) == ("day_2", 31, "day_3")
