"""How large the browser's window is, for what Streamlit lays out by numbers: heights, and which columns fit."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

# Pixels from which a list and the job beside it both have room: a window of 1,024, as it is rounded down.
WIDE = 1020

# Pixels up to which a job beside a list has little of them.
SCARCE = 1120

COOKIE = "fencepost_window"
_KEY = "window_size"

_SIZE = re.compile(r"([1-9][0-9]{2,4})x([1-9][0-9]{2,4})", re.ASCII)

_WINDOW = st.components.v2.component(
    "fencepost_window", html="<span></span>\n", js=Path(__file__).with_name("window.js").read_text()
)


@dataclass(frozen=True, slots=True)
class Window:
    """The inner size of a window in pixels, rounded down so that not every pixel draws the page anew."""

    width: int = 1280
    height: int = 900

    @property
    def is_wide(self) -> bool:
        return self.width >= WIDE

    @property
    def content_width(self) -> int:
        """The pixels that Streamlit's wide layout leaves between its margins."""
        return self.width - (160 if self.width > 768 else 32)


def known_window() -> Window:
    """Return the size of the window as far as it is known: from this page, from the one before, or a common one."""
    window: Window | None = st.session_state.get("window")
    return window or _parse(st.context.cookies.get(COOKIE)) or Window()


def read_window() -> Window:
    """Return the size of the window, and let the browser say it where it is another one."""
    # Taken in before it is told what the page is drawn for: it would compare with an older size.
    window = _parse(st.session_state.get(_KEY, {}).get("size")) or known_window()
    st.session_state["window"] = window
    _WINDOW(
        key=_KEY,
        data={"cookie": COOKIE, "wide": WIDE, "width": window.width, "height": window.height},
        on_size_change=lambda: None,
        # Else there is a line of a place until it is loaded, and then the whole page moves up.
        height=1,
    )
    return window


def _parse(size: Any) -> Window | None:
    """Parse what a browser says, which may be anything."""
    found = _SIZE.fullmatch(size) if isinstance(size, str) else None
    return None if found is None else Window(int(found[1]), int(found[2]))
