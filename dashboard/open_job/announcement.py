"""Sentences for who listens to the page: read out when they become others, the focus stays where it is."""

from pathlib import Path

import streamlit as st

HERE = Path(__file__).parent

_ANNOUNCEMENT = st.components.v2.component(
    "fencepost_job_announcement",
    html='<p role="status"></p>\n',
    css=HERE.joinpath("announcement.css").read_text(),
    js=HERE.joinpath("announcement.js").read_text(),
)


def announce(text: str, *, key: str, number: int | str, is_shown: bool = False) -> None:
    """Say a sentence once for each number: the same one may be news again. It stands in a line of its own where shown.

    `st.toast` has no name that a screen reader could say (axe's rule `aria-dialog-name`).
    """
    _ANNOUNCEMENT(key=key, data={"text": text, "number": number, "shown": is_shown})
