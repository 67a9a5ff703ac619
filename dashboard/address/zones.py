"""The time zone in which a page shows times."""

from zoneinfo import ZoneInfo

import streamlit as st

from core.errors import InvalidParameter
from dashboard.address.view import View, find_zone


def browser_zone() -> ZoneInfo:
    """Return the zone of the browser, or UTC where it says none that is known here."""
    try:
        return find_zone(st.context.timezone or "UTC")
    except InvalidParameter:
        return ZoneInfo("UTC")


def shown_zone(view: View) -> ZoneInfo:
    """Return the zone that the address names, or the browser's."""
    return browser_zone() if view.zone is None else find_zone(view.zone)
