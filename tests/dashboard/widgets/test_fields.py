"""Fields and forms that follow the address."""

import pytest
import streamlit as st

from dashboard.widgets.fields import find_form, follow_address, forget_forms, name_field, read_field


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


def test_a_form_is_a_new_one_at_each_step_but_the_one_that_applied_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was picked and not applied goes with the step; what was applied keeps its fields, and so the focus."""
    state: dict[str, object] = {}
    monkeypatch.setattr(st, "session_state", state)

    first = follow_address("filter", "/", {"q": ""})
    state[first.key("q")] = "picked"
    read = first.read("q")
    again = follow_address("filter", "/", {"q": ""})
    again.apply()
    applied = follow_address("filter", "/?q=picked", {"q": "picked"})
    undone = follow_address("filter", "/", {"q": ""})
    undone.apply()
    other = follow_address("filter", "/?q=parsed", {"q": "parsed"})
    forget_forms()
    back = follow_address("filter", "/?q=parsed", {"q": "parsed"})

    assert (first.key("q"), read, again.key("q"), applied.key("q")) == ("q_0", "picked", "q_0", "q_0")
    assert (undone.key("q"), undone.read("q"), other.key("q"), back.key("q")) == ("q_1", "", "q_2", "q_3")


def test_a_refusal_stays_until_the_address_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run more does not take it away, and what is picked stays as it was."""
    monkeypatch.setattr(st, "session_state", {})

    follow_address("filter", "/", {"q": ""}).refuse("Too long.")
    same = follow_address("filter", "/", {"q": ""})
    found = find_form("filter")
    other = follow_address("filter", "/?q=a", {"q": "a"})

    assert same == found
    assert (same.refusal, same.key("q"), other.refusal) == ("Too long.", "q_0", None)
