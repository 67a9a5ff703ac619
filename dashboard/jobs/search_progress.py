"""How far a search has come that takes longer than somebody should wait."""

from zoneinfo import ZoneInfo

import streamlit as st

from core.instants import in_zone
from core.jobs.pages import Page


def show_progress(page: Page, zone: ZoneInfo) -> None:
    """Say how far back the search of a page has come, where it has not come to its end."""
    if page.searched_to is None:
        return
    at = in_zone(page.searched_to.created_at, zone)
    found = "nothing was found yet" if not page.rows else "more may follow"
    st.caption(f"Searched back to {at.day} {at:%B %Y, %H:%M}: {found}. Older goes on from there.")
