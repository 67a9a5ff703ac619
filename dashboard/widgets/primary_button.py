"""How the chief button of a page stands out."""

from typing import Literal

import streamlit as st


def emphasis() -> Literal["primary", "secondary"]:
    """Return the type of a chief button: filled with the accent in the light theme, as any other in the dark one.

    On the accent Streamlit writes in white, and in the accent it writes what is chosen: on a dark page no colour has
    the contrast for both (WCAG 2.2, 1.4.3).
    """
    return "secondary" if st.context.theme.type == "dark" else "primary"
