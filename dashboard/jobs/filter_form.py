"""The filter of the Jobs page as a form: set from the address, and written into it once by Apply."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, time
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.errors import InvalidParameter
from core.jobs.filter import LONGEST_SEARCH, STATUSES, Category, Cell, DateRange, Decision, JobFilter
from core.jobs.filter_sentence import CATEGORY_NAMES, DECISION_WORDS
from core.jobs.wall import Wall
from dashboard.address.current import read_current
from dashboard.address.periods import (
    EARLIEST,
    LATEST,
    PRESETS,
    days_range,
    describe,
    instants_range,
    preset_range,
    shown_days,
    shown_times,
)
from dashboard.address.view import View, find_zone, go, go_if_other
from dashboard.address.zones import browser_zone, shown_zone
from dashboard.jobs.pasted_ids import read_ids
from dashboard.jobs.reason_options import find_reason_options, name_option
from dashboard.session.admission import admitted
from dashboard.session.resources import get_resources
from dashboard.widgets.client_select import find_clients, name_client
from dashboard.widgets.fields import Form, find_form, follow_address, name_field, read_field
from dashboard.widgets.primary_button import emphasis

# Types that services are known to have; any other can be typed.
KNOWN_TYPES = ("prompt", "pre", "post", "image", "video")

CELL_WORDS = {Cell.TRUE: "Yes", Cell.FALSE: "No", Cell.EMPTY: "Not evaluated"}
ANY_OF = {**{category.value: name for category, name in CATEGORY_NAMES.items()}, "none": "None of them"}
TEXT_NAMES = {"q": "Prompt contains", "reason": "Reason is", "reason_contains": "Reason contains"}
EVALUATED_WORDS = {True: "Log recorded", False: "Log missing"}
BOOLEANS = ("evaluated", "flagged", "has_reason")
FLAGGED_WORDS = {True: "Flagged", False: "Not flagged"}
HAS_REASON_WORDS = {True: "With a reason", False: "Without a reason"}


def show_period(view: View, now: datetime) -> None:
    """Show the relative ranges, of which each applies at once."""
    st.segmented_control(
        "Period",
        list(PRESETS),
        key=name_field("preset", _name_address(view), view.preset),
        format_func=PRESETS.__getitem__,
        on_change=admitted(_apply_preset),
        args=(view, now),
        default=view.preset,
        label_visibility="collapsed",
        required=True,
        wrap=True,
    )


def show_form(view: View, wall: Wall, *, is_folded: bool) -> None:
    """Show the filter, which applies as a whole; what is asked for less often stays out of the way.

    Where the head is folded all of it stands behind the head's own button already.
    """
    form = follow_address("filter", _name_address(view), _list_values(view.job_filter, shown_zone(view)))
    with st.form("filter", border=False, width="stretch" if is_folded else "content"):
        if is_folded:
            _show_days(form)
            _show_decisions(form)
            _show_more(form, view, wall)
            # Above the button: below it, and below the chips, it would be outside the window.
            show_form_error()
            st.form_submit_button("Apply", on_click=admitted(_apply_form), args=(view, form), type=emphasis())
        else:
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                _show_days(form)
                _show_decisions(form)
                with st.popover("More filters", icon=":material/tune:", key="more_filters"):
                    st.caption(describe(view.job_filter.range, shown_zone(view)))
                    _show_more(form, view, wall)
                st.form_submit_button("Apply", on_click=admitted(_apply_form), args=(view, form))


def _show_days(form: Form) -> None:
    days: dict[str, Any] = {"min_value": EARLIEST, "max_value": LATEST, "format": "YYYY-MM-DD"}
    # Side by side also on a telephone.
    with st.container(horizontal=True, gap="xsmall", width="content"):
        for label, name in (("First day", "first_day"), ("Last day (included)", "last_day")):
            st.date_input(label, form.values[name], key=form.key(name), width=159, label_visibility="collapsed", **days)


def _show_decisions(form: Form) -> None:
    st.segmented_control(
        "Decision",
        list(Decision),
        default=form.values["decision"],
        key=form.key("decision"),
        selection_mode="multi",
        format_func=lambda chosen: DECISION_WORDS[chosen].capitalize(),
        width="content",
        label_visibility="collapsed",
    )


def show_form_error() -> None:
    """Say what is wrong with what was applied last."""
    form = find_form("filter")
    if form is not None and form.refusal is not None:
        st.error(form.refusal, icon=":material/error:")


def _show_more(form: Form, view: View, wall: Wall) -> None:
    """Show all filters but the days and the decision."""
    # Fields of one line would drop the line breaks of what is pasted, and a limit of their own would cut it.
    st.text_area(
        TEXT_NAMES["q"],
        form.values["q"],
        key=form.key("q"),
        height="content",
        help="Ignores case; every character is taken literally.",
    )
    reason, part = st.columns(2)
    _show_reasons(form, reason, view, wall)
    part.text_area(
        TEXT_NAMES["reason_contains"], form.values["reason_contains"], key=form.key("reason_contains"), height="content"
    )
    st.text_area(
        "Job ids",
        form.values["job_id"],
        key=form.key("job_id"),
        height="content",
        help="Whole ids or how they begin, up to 100, pasted from a list, a table or an address.",
    )
    client, api_key = st.columns(2)
    api_key.multiselect(
        "API key",
        _offer(form, "api_key_id"),
        form.values["api_key_id"],
        key=form.key("api_key_id"),
        placeholder="Any",
        accept_new_options=True,
        help="The id of the key that a job was submitted with.",
    )
    client.selectbox(
        "Client",
        _clients(form, wall),
        index=None,
        key=form.clearable("client_id"),
        format_func=name_client,
        placeholder="All clients",
        accept_new_options=wall.sees_all,
    )
    status, kind = st.columns(2)
    status.multiselect("Status", STATUSES, form.values["status"], key=form.key("status"), placeholder="Any")
    kind.multiselect(
        "Type",
        sorted({*KNOWN_TYPES, *_offer(form, "type")}),
        form.values["type"],
        key=form.key("type"),
        placeholder="Any",
        accept_new_options=True,
    )
    flagged, evaluated = st.columns(2)
    flagged.multiselect(
        "Flagged as any of",
        list(ANY_OF),
        form.values["category"],
        key=form.key("category"),
        format_func=ANY_OF.__getitem__,
        placeholder="Any",
    )
    _show_boolean(form, evaluated, "Moderation log", "evaluated", EVALUATED_WORDS)
    any_flag, any_reason = st.columns(2)
    _show_boolean(form, any_flag, "Any category", "flagged", FLAGGED_WORDS)
    _show_boolean(form, any_reason, "Any reason", "has_reason", HAS_REASON_WORDS)
    for column, category in zip(st.columns(3), Category, strict=True):
        column.selectbox(
            CATEGORY_NAMES[category],
            list(Cell),
            index=None,
            key=form.clearable(category.column),
            format_func=CELL_WORDS.__getitem__,
            placeholder="Any",
        )
    start, end = st.columns(2)
    start.time_input("First day from", None, key=form.clearable("first_time"))
    end.time_input("Last day until", None, key=form.clearable("last_time"), help="Left empty: the whole day.")
    zones = _zones(form)
    st.selectbox("Time zone", zones, zones.index(form.values["zone"]), key=form.key("zone"))


def _show_reasons(form: Form, column: DeltaGenerator, view: View, wall: Wall) -> None:
    """Find reasons as somebody types: names of rules are offered, and any other reason can be typed."""
    offered = find_reason_options(view, wall)
    chosen = form.read("reason")
    column.selectbox(
        TEXT_NAMES["reason"],
        [*offered, *({chosen} - {None, *offered})],
        index=None,
        key=form.clearable("reason"),
        format_func=lambda reason: name_option(reason, offered.get(reason)),
        placeholder="Any",
        accept_new_options=True,
        help="The exact reason. The list offers names of rules, with their jobs in this period.",
    )


def _show_boolean(form: Form, column: DeltaGenerator, label: str, name: str, words: Mapping[bool, str]) -> None:
    column.selectbox(
        label, list(words), index=None, key=form.clearable(name), format_func=words.__getitem__, placeholder="Any"
    )


def _offer(form: Form, name: str) -> list[str]:
    """Offer what a widget is to show, and what was typed there since."""
    return [*dict.fromkeys((*form.values[name], *form.read(name)))]


def _name_address(view: View) -> dict[str, str]:
    """Name what the widgets follow: another list, or another day of a relative range, which changes at midnight."""
    zone = shown_zone(view)
    first, last = shown_days(view.job_filter.range, zone)
    days = {"first_day": str(first), "last_day": str(last), "zone": zone.key}
    return replace(view, after=None, job=None).to_params() | days


def _list_values(job_filter: JobFilter, zone: ZoneInfo) -> dict[str, Any]:
    """List what the widgets of the form hold where they show a filter."""
    first, last = shown_days(job_filter.range, zone)
    first_time, last_time = shown_times(job_filter.range, zone)
    return {
        "first_day": min(max(first, EARLIEST), LATEST),
        "last_day": min(max(last, EARLIEST), LATEST),
        "first_time": first_time,
        "last_time": last_time,
        "zone": zone.key,
        "decision": list(job_filter.decision),
        "q": job_filter.q or "",
        "reason": job_filter.reason,
        "reason_contains": job_filter.reason_contains or "",
        "job_id": ", ".join(job_filter.job_id),
        "api_key_id": list(job_filter.api_key_id),
        "client_id": job_filter.client_id,
        "status": list(job_filter.status),
        "type": list(job_filter.type),
        **{name: getattr(job_filter, name) for name in BOOLEANS},
        "category": ["none"] if job_filter.no_category else [category.value for category in job_filter.category],
        **{category.column: job_filter.cells.get(category) for category in Category},
    }


def _zones(form: Form) -> list[str]:
    """All zones of the tz database by their names, and the chosen one."""
    return ["UTC", *sorted(_named_zones() | ({form.read("zone"), form.values["zone"]} - {"UTC"}))]


@cache
def _named_zones() -> frozenset[str]:
    """List the zones without the technical ones, once: it takes a walk through the files of the tz database."""
    return frozenset(
        name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "SystemV/"))
    )


def _clients(form: Form, wall: Wall) -> list[str]:
    """Offer the clients that there are, and the one that was chosen or typed."""
    clients = find_clients(get_resources().databases.source, wall)
    return [*clients, *({form.read("client_id")} - {None, *clients})]


def _apply_preset(view: View, now: datetime) -> None:
    preset, view = read_field("preset"), read_current(view)
    bounds = preset_range(preset, shown_zone(view), now)
    go_if_other(view, replace(view.filtered(replace(view.job_filter, range=bounds)), preset=preset))


def _apply_form(view: View, form: Form) -> None:
    """Write the form into the address, or say what is wrong with it."""
    zone = find_zone(form.read("zone"))
    try:
        bounds, preset = _read_range(form, view, zone)
        job_filter = _read_filter(form, bounds, spreadsheet_safe=view.job_filter.spreadsheet_safe)
    except InvalidParameter as error:
        form.refuse(str(error))
        return
    form.apply()
    named_zone = None if zone.key == browser_zone().key else zone.key
    go(replace(view.filtered(job_filter), preset=preset, zone=named_zone))


def _read_range(form: Form, view: View, zone: ZoneInfo) -> tuple[DateRange, str | None]:
    """Read the days and times; where they are as they were shown, the range stays what it is, relative or exact."""
    start_kept, end_kept = (
        all(form.read(name) == form.values[name] for name in (f"{end}_day", f"{end}_time", "zone"))
        for end in ("first", "last")
    )
    if start_kept and end_kept:
        return view.job_filter.range, view.preset
    kept = view.job_filter.range
    days = form.read("first_day"), form.read("last_day")
    times: tuple[time | None, time | None] = form.read("first_time"), form.read("last_time")
    picked = days_range(*days, zone) if times == (None, None) else instants_range(days, times, zone)
    # A bound that was not touched may be finer than the minute that is shown of it.
    return DateRange(kept.start if start_kept else picked.start, kept.end if end_kept else picked.end), None


def _read_text(form: Form, name: str) -> str:
    """Read a text as it was typed, but for the line breaks around what was pasted. Raises `InvalidParameter`."""
    text: str = form.read(name) or ""
    if text == form.values[name]:
        return text
    text = text.strip("\r\n")
    if len(text) > LONGEST_SEARCH:
        raise InvalidParameter(
            f"“{TEXT_NAMES[name]}” holds {len(text):,} characters, and {LONGEST_SEARCH} can be searched for: "
            "shorten it. Your text is still in the box."
        )
    return text


def _read_filter(form: Form, bounds: DateRange, *, spreadsheet_safe: bool) -> JobFilter:
    """Read the filter through the same parser as an address. Raises `InvalidParameter`."""
    chosen = [decision.value for decision in Decision if decision in form.read("decision")]
    if "none" in form.read("category") and len(form.read("category")) > 1:
        raise InvalidParameter("Choose either some categories or “None of them”.")
    if any("," in kind for kind in form.read("type")):
        raise InvalidParameter("A type cannot hold a comma: give types one by one.")
    if any("," in key for key in form.read("api_key_id")):
        raise InvalidParameter("The id of an API key cannot hold a comma: give keys one by one.")
    values = JobFilter(range=bounds, spreadsheet_safe=spreadsheet_safe).to_params() | {
        "decision": ",".join(chosen if len(chosen) < len(Decision) else []),
        "status": ",".join(status for status in STATUSES if status in form.read("status")),
        "type": ",".join(form.read("type")),
        "category": ",".join(form.read("category")),
        **{category.column: form.read(category.column) or "" for category in Category},
        **{name: {None: "", True: "true", False: "false"}[form.read(name)] for name in BOOLEANS},
        **{name: _read_text(form, name) for name in TEXT_NAMES},
        "job_id": ",".join(read_ids(form.read("job_id"))),
        "api_key_id": ",".join(form.read("api_key_id")),
        "client_id": form.read("client_id") or "",
    }
    return JobFilter.from_params((name, value) for name, value in values.items() if value)
