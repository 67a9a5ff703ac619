"""A step to another place of the same page: it is written into the address, so that it can be sent, and Back undoes it.

`st.page_link` shows the other place and leaves the address as it was, where both belong to one page.
"""

from collections.abc import Mapping

import streamlit as st

from dashboard.address.steps import write_address


def show_step(label: str, icon: str, params: Mapping[str, str], *, key: str, disabled: bool = False) -> None:
    """Show a button that goes to the place of this page that the parameters mean."""
    if st.button(label, icon=icon, key=key, disabled=disabled, type="tertiary"):
        write_address(params)
        # Also from within a fragment the whole page is another one now.
        st.rerun()
