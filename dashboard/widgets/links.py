"""Links, as any of the web: in a new tab, and copied, they lead where they lead here, and a file is as one chose it."""

from pathlib import Path

import streamlit as st

_LINKS = st.components.v2.component(
    "fencepost_links", html="<span></span>\n", js=Path(__file__).with_name("links.js").read_text()
)


def mend_links() -> None:
    """Let the browser follow the links of this page where Streamlit would not, or too soon, or elsewhere."""
    _LINKS(key="links", width="content", height=1)
