"""The address that was gone to last, which a press may come too early to have heard of."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import streamlit as st

from core.errors import InvalidParameter
from dashboard.address.steps import follow_last_step
from dashboard.address.view import View, parse_view
from dashboard.address.zones import browser_zone

Parse = Callable[[Iterable[tuple[str, str]], ZoneInfo, datetime], View]


def read_current(shown: View, parse: Parse = parse_view) -> View:
    """Return the view of the address, which may have changed since the page was drawn for `shown`.

    Whoever chooses two things soon after each other wants both.
    """
    follow_last_step()
    try:
        return parse(st.query_params.items(), browser_zone(), datetime.now(UTC))
    except InvalidParameter:
        return shown
