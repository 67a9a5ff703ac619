"""Fields that follow the address.

A browser may send what a field held before it has heard of another address: with a second press, or on a slow line. So
a field that is to show something else is a new one, with a key that the browser does not know, and has its value from
each run, for a browser that draws it late.
"""

from typing import Any

import streamlit as st

_FIELDS = "fields"


def name_field(name: str, address: object, value: object) -> str:
    """Return the key of a field that is to show `value` at an address; one that shows it already keeps its key."""
    fields = _find_fields()
    before, step, shown = fields.get(name, (None, 0, None))
    if before != address and (step == 0 or st.session_state.get(f"{name}_{step}", shown) != value):
        step += 1
    fields[name] = (address, step, value)
    return f"{name}_{step}"


def read_field(name: str) -> Any:
    """Return what a field holds, or what it is to show where no run has drawn it yet."""
    _, step, shown = _find_fields()[name]
    return st.session_state.get(f"{name}_{step}", shown)


def _find_fields() -> dict[str, tuple[object, int, object]]:
    found: dict[str, tuple[object, int, object]] = st.session_state.setdefault(_FIELDS, {})
    return found
