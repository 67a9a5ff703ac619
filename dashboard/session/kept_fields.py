"""What is filled in while a dialog fails: Streamlit forgets the fields that a run has not come to."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_run_context import ThreadState
from streamlit.runtime.state.common import user_key_from_element_id

from core.errors import FencepostError

# What fields send that a script may set; buttons and the like are none.
_KINDS = {f"{kind}_value" for kind in ("bool", "int", "double", "string", "int_array", "double_array", "string_array")}

_KEPT = "fields_of_failed_dialog"


@contextmanager
def keeping_fields() -> Iterator[None]:
    """Let the next run of a dialog show what was filled in, where this one fails before it has drawn all fields."""
    dialog = ThreadState.get().fragment_id
    kept: tuple[str | None, dict[str, Any]] = st.session_state.pop(_KEPT, (None, {}))
    if kept[0] == dialog:
        for key, value in kept[1].items():
            st.session_state[key] = value
    try:
        yield
    except FencepostError:
        st.session_state[_KEPT] = (dialog, _read_undrawn(dialog))
        raise


def _read_undrawn(dialog: str | None) -> dict[str, Any]:
    """Return what those fields of a dialog hold that this run has not drawn."""
    context = get_script_run_ctx()
    assert context is not None
    known = context.session_state._state._new_widget_state.widget_metadata
    drawn = context.shared.widget_ids_this_run.snapshot()
    fields = [each for each in known.values() if each.fragment_id == dialog and each.value_type in _KINDS]
    keys = [user_key_from_element_id(field.id) for field in fields if field.id not in drawn]
    return {key: st.session_state[key] for key in keys if key is not None and key in st.session_state}
