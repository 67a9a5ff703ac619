"""The way on to another place, where what somebody did has led.

`st.switch_page` writes the address of the other page onto the page that is left first, so that Back leads to a place
where nobody was. A link that follows itself leaves one step for Back.
"""

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from dashboard.address.steps import write_address

# The class that Streamlit gives the container, by which the script finds the link.
KEY = "onward"

_ONWARD = st.components.v2.component(
    "fencepost_onward", html="<span></span>\n", js=Path(__file__).with_name("onward.js").read_text()
)


def lead_on(page: str, label: str, params: Mapping[str, str]) -> None:
    """Go on to a page, named by its folder, with these parameters. The label is there while it takes a moment."""
    if st.session_state.get("page") == page:
        # A link to the page that is shown leaves the address as it was.
        write_address(params)
        st.rerun()
    with st.container(key=KEY):
        st.page_link(f"{page}/page.py", label=label, icon=":material/arrow_forward:", query_params=dict(params))
        _ONWARD(key=f"{KEY}_script", data={"link": f".st-key-{KEY} a"})
