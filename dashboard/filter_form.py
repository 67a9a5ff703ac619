"""The filter of the Jobs page as a form: set from the address, and written into it once by Apply."""

from dataclasses import replace
from datetime import date, datetime, time
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import streamlit as st

from core.errors import InvalidParameter
from core.filter_sentence import CATEGORY_NAMES, DECISION_WORDS
from core.filters import STATUSES, Category, Cell, DateRange, Decision, JobFilter
from core.query import Wall
from dashboard.address import View, find_zone
from dashboard.known_clients import find_clients, name_client
from dashboard.periods import PRESETS, days_range, instants_range, preset_range, shown_days, shown_times
from dashboard.resources import get_resources
from dashboard.zones import browser_zone, shown_zone

EARLIEST, LATEST = date(1970, 1, 2), date(2999, 12, 30)

# Types that services are known to have; any other can be typed.
KNOWN_TYPES = ("prompt", "pre", "post", "image", "video")

CELL_WORDS = {Cell.TRUE: "Yes", Cell.FALSE: "No", Cell.EMPTY: "Not evaluated"}
ANY_OF = {**{category.value: name for category, name in CATEGORY_NAMES.items()}, "none": "None of them"}
EVALUATED_WORDS = {True: "With a log", False: "Without a log"}


def show_period(view: View, now: datetime) -> None:
    """Show the relative ranges, of which each applies at once."""
    _sync(view)
    st.segmented_control(
        "Period",
        list(PRESETS),
        key="preset",
        format_func=PRESETS.__getitem__,
        on_change=_apply_preset,
        args=(view, now),
        label_visibility="collapsed",
    )


def show_form(view: View, wall: Wall) -> None:
    """Show the filter, which applies as a whole; what is asked for less often stays out of the way."""
    with st.form("filter"):
        first, last, zone, decision, more, apply = st.columns(
            [1.15, 1.15, 1.25, 1.9, 0.95, 0.65], vertical_alignment="bottom", gap="small"
        )
        days: dict[str, Any] = {"min_value": EARLIEST, "max_value": LATEST, "value": None, "format": "YYYY-MM-DD"}
        first.date_input("First day", key="first_day", **days)
        last.date_input("Last day (included)", key="last_day", **days)
        zone.selectbox("Time zone", _zones(), key="zone")
        decision.segmented_control(
            "Decision",
            list(Decision),
            key="decision",
            selection_mode="multi",
            format_func=lambda chosen: DECISION_WORDS[chosen].capitalize(),
            help="None chosen: all jobs.",
        )
        with more.popover("More filters", width="stretch"):
            _show_more(wall)
        apply.form_submit_button("Apply", on_click=_apply_form, args=(view,), width="stretch")
    if st.session_state["apply_error"]:
        st.error(st.session_state["apply_error"], icon=":material/error:")


def go(view: View) -> None:
    """Write the address once: one step that Back undoes."""
    st.query_params.from_dict(view.to_params())


def _show_more(wall: Wall) -> None:
    """Show all filters but the days and the decision."""
    st.text_input(
        "Prompt contains", key="q", max_chars=500, help="Regardless of case; every character stands for itself."
    )
    job, client = st.columns(2)
    job.text_input("Job id begins with", key="job_id", max_chars=36)
    client.selectbox(
        "Client",
        _clients(wall),
        key="client_id",
        index=None,
        format_func=name_client,
        placeholder="All clients",
        accept_new_options=wall.client_id is None,
    )
    status, kind = st.columns(2)
    status.multiselect("Status", STATUSES, key="status", placeholder="Any")
    kind.multiselect(
        "Type",
        sorted({*KNOWN_TYPES, *st.session_state["type"]}),
        key="type",
        placeholder="Any",
        accept_new_options=True,
    )
    flagged, evaluated = st.columns(2)
    flagged.multiselect(
        "Flagged as any of", list(ANY_OF), key="category", format_func=ANY_OF.__getitem__, placeholder="Any"
    )
    evaluated.selectbox(
        "Moderation log",
        list(EVALUATED_WORDS),
        key="evaluated",
        index=None,
        format_func=EVALUATED_WORDS.__getitem__,
        placeholder="Any",
    )
    for column, category in zip(st.columns(3), Category, strict=True):
        column.selectbox(
            CATEGORY_NAMES[category],
            list(Cell),
            key=category.column,
            index=None,
            format_func=CELL_WORDS.__getitem__,
            placeholder="Any",
        )
    start, end = st.columns(2)
    start.time_input("First day from", key="first_time", value=None)
    end.time_input("Last day until", key="last_time", value=None, help="Left empty: the whole day.")


def _sync(view: View) -> None:
    """Let the widgets show the address, whenever it means another filter than at the last run."""
    zone = shown_zone(view)
    shown = replace(view, after=None, job=None).to_params() | {"tz": zone.key}
    if st.session_state.get("address") == shown:
        return
    job_filter = view.job_filter
    first, last = shown_days(job_filter.range, zone)
    first_time, last_time = shown_times(job_filter.range, zone)
    st.session_state.update(
        {
            "address": shown,
            "apply_error": None,
            "preset": view.preset,
            "first_day": min(max(first, EARLIEST), LATEST),
            "last_day": min(max(last, EARLIEST), LATEST),
            "first_time": first_time,
            "last_time": last_time,
            "zone": zone.key,
            "decision": list(job_filter.decision),
            "q": job_filter.q or "",
            "job_id": job_filter.job_id or "",
            "client_id": job_filter.client_id,
            "status": list(job_filter.status),
            "type": list(job_filter.type),
            "evaluated": job_filter.evaluated,
            "category": ["none"] if job_filter.no_category else [category.value for category in job_filter.category],
            **{category.column: job_filter.cells.get(category) for category in Category},
        }
    )


def _zones() -> list[str]:
    """All zones of the tz database by their names, and the chosen one."""
    return ["UTC", *sorted(_named_zones() | ({st.session_state["zone"]} - {"UTC"}))]


@cache
def _named_zones() -> frozenset[str]:
    """List the zones without the technical ones, once: it takes a walk through the files of the tz database."""
    return frozenset(
        name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "SystemV/"))
    )


def _clients(wall: Wall) -> list[str]:
    """Offer the clients that there are, and the one that was chosen or typed."""
    clients, chosen = find_clients(get_resources().databases.source, wall), st.session_state["client_id"]
    return clients if chosen is None or chosen in clients else [*clients, chosen]


def _apply_preset(view: View, now: datetime) -> None:
    preset = st.session_state["preset"]
    if preset is None:
        # Clicked away: the days stay as they are, as a period of their own.
        go(replace(view, preset=None, after=None, job=None))
        return
    bounds = preset_range(preset, shown_zone(view), now)
    go(replace(view.filtered(replace(view.job_filter, range=bounds)), preset=preset))


def _apply_form(view: View) -> None:
    """Write the form into the address, or say what is wrong with it."""
    zone = find_zone(st.session_state["zone"])
    try:
        bounds, preset = _read_range(view, zone)
        job_filter = _read_filter(bounds, spreadsheet_safe=view.job_filter.spreadsheet_safe)
    except InvalidParameter as error:
        st.session_state["apply_error"] = str(error)
        return
    st.session_state["apply_error"] = None
    named_zone = None if zone.key == browser_zone().key else zone.key
    go(replace(view.filtered(job_filter), preset=preset, zone=named_zone))


def _read_range(view: View, zone: ZoneInfo) -> tuple[DateRange, str | None]:
    """Read the days and times; where they are as they were shown, the range stays what it is, to the microsecond."""
    bounds = view.job_filter.range
    days = st.session_state["first_day"], st.session_state["last_day"]
    times: tuple[time | None, time | None] = st.session_state["first_time"], st.session_state["last_time"]
    if (*days, *times) == (*shown_days(bounds, zone), *shown_times(bounds, zone)) and zone == shown_zone(view):
        return bounds, view.preset
    if times == (None, None):
        return days_range(*days, zone), None
    return instants_range(days, times, zone), None


def _read_filter(bounds: DateRange, *, spreadsheet_safe: bool) -> JobFilter:
    """Read the filter through the same parser as an address. Raises `InvalidParameter`."""
    state = st.session_state
    chosen = [decision.value for decision in Decision if decision in state["decision"]]
    evaluated = {None: "", True: "true", False: "false"}[state["evaluated"]]
    if "none" in state["category"] and len(state["category"]) > 1:
        raise InvalidParameter("Choose either some categories or “None of them”.")
    if any("," in kind for kind in state["type"]):
        raise InvalidParameter("A type cannot hold a comma: give types one by one.")
    values = JobFilter(range=bounds, spreadsheet_safe=spreadsheet_safe).to_params() | {
        "decision": ",".join(chosen if len(chosen) < len(Decision) else []),
        "status": ",".join(status for status in STATUSES if status in state["status"]),
        "type": ",".join(state["type"]),
        "category": ",".join(state["category"]),
        **{category.column: state[category.column] or "" for category in Category},
        "evaluated": evaluated,
        "q": state["q"],
        "job_id": state["job_id"].strip(),
        "client_id": state["client_id"] or "",
    }
    return JobFilter.from_params((name, value) for name, value in values.items() if value)
