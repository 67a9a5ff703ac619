"""The end of a dialog that asks once more."""

from collections.abc import Callable

import streamlit as st

from dashboard.session.once import make_once
from dashboard.widgets.failure import refusals_in
from dashboard.widgets.primary_button import emphasis


def confirm(label: str, act: Callable[[], object], *, icon: str, key: str, keep: str, keep_key: str) -> None:
    """Offer to act or to leave it; either closes the dialog, and a refusal is said in it."""
    refusal = st.container()
    with st.container(horizontal=True):
        is_sure = st.button(label, type=emphasis(), icon=icon, key=key)
        if st.button(keep, key=keep_key):
            st.rerun()
    if is_sure:
        with refusals_in(refusal):
            make_once(act)
            st.rerun()
