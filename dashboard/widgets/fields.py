"""Fields that follow the address.

A browser may send what a field held before it has heard of another address: with a second press, or on a slow line. So
a field that is to show something else is a new one, with a key that the browser does not know, and has its value from
each run, for a browser that draws it late.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

_FIELDS, _FORMS = "fields", "forms"


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


@dataclass(frozen=True)
class Form:
    """Fields that are applied together, and what each is to show at an address."""

    name: str
    address: object
    values: Mapping[str, Any]
    step: int = 0
    refusal: str | None = None
    is_applied: bool = False

    def key(self, field: str) -> str:
        """Return the key of one of the fields."""
        return f"{field}_{self.step}"

    def read(self, field: str) -> Any:
        """Return what a field holds, or what it is to show where no run has drawn it yet."""
        return st.session_state.get(self.key(field), self.values[field])

    def clearable(self, field: str) -> str:
        """Return the key of a field that can be cleared, which it could not be with a value of its own.

        So what it holds is set with each run, in its place.
        """
        if self.read(field) is not None:
            st.session_state[self.key(field)] = self.read(field)
        return self.key(field)

    def refuse(self, reason: str) -> None:
        """Say why what was asked for is not applied, until the address is another one."""
        _keep(replace(self, refusal=reason))

    def apply(self) -> None:
        """Say that what the fields hold is about to be written into the address: they keep the focus there."""
        _keep(replace(self, refusal=None, is_applied=True))


def follow_address(name: str, address: object, values: Mapping[str, Any]) -> Form:
    """Return the form as it is to be at an address.

    At another address than at the last run all its fields are new ones, and what was picked there and not applied is
    gone, unless the form was applied and they hold what they are to show.
    """
    before = find_form(name)
    form = Form(name, address, values)
    if before is not None and before.address == address:
        form = replace(before, is_applied=False)
    elif before is not None:
        is_kept = before.is_applied and all(before.read(field) == value for field, value in values.items())
        form = replace(form, step=before.step + (not is_kept))
    _keep(form)
    return form


def find_form(name: str) -> Form | None:
    """Return the form as the last run showed it, if any did."""
    return _find_forms().get(name)


def forget_forms() -> None:
    """Let the fields of all forms be set anew: what they held ends with a run that does not show them."""
    for form in _find_forms().values():
        _keep(replace(form, address=None))


def _keep(form: Form) -> None:
    # At once: a run may be ended at any line, and the next one begins anew.
    st.session_state[_FORMS] = _find_forms() | {form.name: form}


def _find_forms() -> dict[str, Form]:
    found: dict[str, Form] = st.session_state.get(_FORMS, {})
    return found


def _find_fields() -> dict[str, tuple[object, int, object]]:
    found: dict[str, tuple[object, int, object]] = st.session_state.setdefault(_FIELDS, {})
    return found
