"""A text from outside, shown as nothing but text: no Markdown, no HTML, no direction that reaches beyond it."""

from collections.abc import Collection
from pathlib import Path

import streamlit as st

HERE = Path(__file__).parent

_PROMPT_TEXT = st.components.v2.component(
    "fencepost_prompt_text",
    html=(HERE / "prompt_text.html").read_text(),
    css=(HERE / "prompt_text.css").read_text(),
    js=(HERE / "prompt_text.js").read_text(),
)


def show_text(text: str, label: str, *, key: str, marked: Collection[str] = (), is_brief: bool = False) -> None:
    """Show a text with a button that copies it; `marked` characters are shown as their numbers.

    One that should be brief scrolls within a few lines where it is not, so that what follows stays in sight.
    """
    # PostgreSQL's text is UTF-8 without NUL, so all of it fits into JSON.
    _PROMPT_TEXT(key=key, data={"text": text, "label": label, "marked": list(marked), "brief": is_brief})
