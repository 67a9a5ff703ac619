"""How high tables are, and where their tools stand."""

from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

# Pixels, as Streamlit draws a row and its header; a page of any size keeps the pager on the screen.
ROW_HEIGHT = 35
MOST_HEIGHT = 16 * ROW_HEIGHT

_TABLE_TOOLS = st.components.v2.component(
    "fencepost_table_tools",
    html="<span></span>\n",
    css=Path(__file__).with_name("table.css").read_text(),
    isolate_styles=False,
)


def fit_height(rows: int, most: int = MOST_HEIGHT) -> int:
    """Return the pixels of a table that shows its header and all of its rows, or scrolls from `most` on."""
    return min(most, (rows + 1) * ROW_HEIGHT + 3)


def full_width(name: str) -> DeltaGenerator:
    """Return a place for a table whose tools stand in the margin beside it.

    Streamlit lays them, while the pointer is on the table, over what stands above its right end.
    """
    return st.container(key=f"full_width_{name}")


def place_table_tools() -> None:
    """Let the browser draw the tools of tables where `full_width` says; once for each page."""
    _TABLE_TOOLS(key="table_tools", width="content", height=1)
