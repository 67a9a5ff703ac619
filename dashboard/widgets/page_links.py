"""Links to pages, as any link of the web: in a new tab, and copied, they lead where they lead in this one."""

from pathlib import Path

import streamlit as st

_PAGE_LINKS = st.components.v2.component(
    "fencepost_page_links", html="<span></span>\n", js=Path(__file__).with_name("page_links.js").read_text()
)


def mend_page_links() -> None:
    """Let the browser follow the links of this page where Streamlit would not, or not to the right place."""
    _PAGE_LINKS(key="page_links", width="content", height=1)
