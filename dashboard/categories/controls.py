"""The controls of the page of categories: period, days and client, each written into the address as it is changed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import streamlit as st

from core.errors import InvalidParameter
from core.jobs.filter import JobFilter
from core.jobs.filter_sentence import describe_filter
from core.jobs.wall import Wall
from dashboard.address.current import read_current
from dashboard.address.periods import EARLIEST, LATEST, PRESETS, days_range, preset_range, shown_days
from dashboard.address.view import View, go, go_if_other
from dashboard.address.zones import shown_zone
from dashboard.categories.address import further_filter, parse_categories_view, without_further
from dashboard.session.admission import admitted
from dashboard.widgets.client_select import name_client
from dashboard.widgets.fields import name_field, read_field

# Characters of a text from outside in the sentence of the filter.
SHORT = 80


def show_controls(view: View, clients: Sequence[str], wall: Wall, now: datetime) -> None:
    """Show the controls, set from the address."""
    zone = shown_zone(view)
    address = view.to_params() | {"tz": zone.key}
    if st.session_state.get("categories_view") != address:
        st.session_state.update({"categories_error": None, "categories_view": address})
    st.segmented_control(
        "Period",
        list(PRESETS),
        default=view.preset,
        key=name_field("categories_preset", address, view.preset),
        format_func=PRESETS.__getitem__,
        on_change=admitted(_apply_preset),
        args=(view, now),
    )
    days, chosen = st.columns([2, 1], vertical_alignment="bottom")
    with days.form("categories_days", border=False):
        first, last, apply = st.columns([1, 1, 0.6], vertical_alignment="bottom")
        field: dict[str, Any] = {"min_value": EARLIEST, "max_value": LATEST, "format": "YYYY-MM-DD"}
        for column, label, name, day in zip(
            (first, last),
            ("First day", "Last day (included)"),
            ("categories_first", "categories_last"),
            shown_days(view.job_filter.range, zone),
            strict=True,
        ):
            shown = min(max(day, EARLIEST), LATEST)
            column.date_input(label, shown, key=name_field(name, address, shown), **field)
        apply.form_submit_button("Apply days", on_click=admitted(_apply_days), args=(view,), width="stretch")
    client_id = view.job_filter.client_id
    key = name_field("categories_client", address, client_id)
    # With a value of its own it could not be cleared.
    st.session_state[key] = client_id
    chosen.selectbox(
        "Client",
        [*clients, *({client_id} - {None, *clients})],
        index=None,
        key=key,
        placeholder="All clients",
        format_func=name_client,
        on_change=admitted(_apply_client),
        args=(view,),
        accept_new_options=wall.sees_all,
    )
    if st.session_state["categories_error"]:
        st.error("The view stays as it was.", icon=":material/error:")
        st.text(st.session_state["categories_error"])


def show_further_filter(view: View) -> None:
    """Say the filters of the address that have no control on this page, and offer to drop them."""
    further = further_filter(view.job_filter)
    if further is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        said = describe_filter(further, longest=SHORT, zone=shown_zone(view))
        st.text(f"Only these are counted: {said}")
        plain = view.filtered(without_further(view.job_filter))
        st.button("Clear", icon=":material/close:", on_click=admitted(go), args=(plain,), key="categories_clear")


def _apply_preset(view: View, now: datetime) -> None:
    preset, view = read_field("categories_preset"), read_current(view, parse_categories_view)
    if preset is None:
        # Clicked away: the days stay as they are, as a period of their own.
        go(replace(view, preset=None))
        return
    bounds = preset_range(preset, shown_zone(view), now)
    go_if_other(view, replace(view.filtered(replace(view.job_filter, range=bounds)), preset=preset))


def _apply_days(view: View) -> None:
    """Write the days into the address, or say what is wrong with them."""
    view = read_current(view, parse_categories_view)
    zone = shown_zone(view)
    days = read_field("categories_first"), read_field("categories_last")
    st.session_state["categories_error"] = None
    if days == shown_days(view.job_filter.range, zone):
        return
    try:
        bounds = days_range(*days, zone)
    except InvalidParameter as error:
        st.session_state["categories_error"] = str(error)
        return
    go(replace(view.filtered(replace(view.job_filter, range=bounds)), preset=None))


def _apply_client(view: View) -> None:
    """Write the client into the address; what was typed goes through the parser of addresses."""
    view = read_current(view, parse_categories_view)
    client_id = read_field("categories_client") or None
    wanted = replace(view.job_filter, client_id=client_id)
    st.session_state["categories_error"] = None
    try:
        go_if_other(view, view.filtered(JobFilter.from_params(wanted.to_params().items())))
    except InvalidParameter as error:
        st.session_state["categories_error"] = str(error)
