"""Jobs: choose a period and a decision, look at a preview, download the CSV."""

from dataclasses import replace
from datetime import UTC, date, datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, available_timezones

import streamlit as st

from core.access import Actor, Scope
from core.audit import Event, record
from core.errors import InvalidParameter
from core.filter_sentence import DECISION_WORDS
from core.filters import Decision, JobFilter
from core.hiding import Texts
from core.preferences import SPREADSHEET_SAFE, keep_preference, read_preference
from core.query import Page, count_jobs, page_jobs
from core.tickets import BROWSER_COOKIE, DOWNLOAD_PATH, LIFETIME, Ticket
from dashboard.address import PAGE_SIZES, View, default_view, find_zone, parse_view
from dashboard.job_table import show_jobs
from dashboard.people import find_person
from dashboard.periods import PRESETS, days_range, describe, shown_days
from dashboard.periods import preset_range as resolve_preset
from dashboard.resources import Resources, get_resources
from dashboard.zones import browser_zone, shown_zone

# Beyond this many the exact number costs more than it tells.
COUNTED = 10_000

EARLIEST, LATEST = date(1970, 1, 2), date(2999, 12, 30)


def show() -> None:
    """Run the page."""
    resources = get_resources()
    person = find_person(resources.settings)
    if person is None or Scope.JOB_READ not in person.scopes:
        st.stop()
    now = datetime.now(UTC)
    st.title("Jobs")
    view = _read_address(now)
    zone = shown_zone(view)
    _sync_widgets(view, zone)
    _show_controls(view, now)
    st.caption(describe(view.job_filter.range, zone))
    _show_further_filters(view)
    with_text = bool(st.session_state.get("show_prompts", False))
    page, count = _read_jobs(resources, person, view, with_text=with_text)
    _record_look(resources, person, view, len(page.rows), with_text=with_text)
    _show_downloads(view.job_filter, count, person)
    if not page.rows and view.after is None:
        st.info("No jobs match. Choose other days or another decision.", icon=":material/search_off:")
        return
    _show_table_controls()
    show_jobs(page.rows, zone, with_text=with_text)
    _show_pager(view, page)


def _read_address(now: datetime) -> View:
    """Parse the address; where it is wrong, say so and show the default view."""
    given = [(name, value) for name in st.query_params for value in st.query_params.get_all(name)]
    try:
        return parse_view(given, browser_zone(), now)
    except InvalidParameter as error:
        st.error("This address is not valid, so this is the default view.", icon=":material/link_off:")
        # The message may repeat what stood in the address: it is shown as text, never as Markdown.
        st.text(str(error))
        return default_view(browser_zone(), now)


def _sync_widgets(view: View, zone: ZoneInfo) -> None:
    """Let the widgets show the address, whenever that is another one than at the last run."""
    address = tuple(sorted((name, tuple(st.query_params.get_all(name))) for name in st.query_params))
    if st.session_state.get("address") == address:
        return
    first, last = shown_days(view.job_filter.range, zone)
    st.session_state["address"] = address
    st.session_state["preset"] = view.preset
    st.session_state["first_day"] = min(max(first, EARLIEST), LATEST)
    st.session_state["last_day"] = min(max(last, EARLIEST), LATEST)
    st.session_state["zone"] = zone.key
    st.session_state["decision"] = list(view.job_filter.decision)
    st.session_state["size"] = view.size
    st.session_state["apply_error"] = None


def _show_controls(view: View, now: datetime) -> None:
    st.segmented_control(
        "Period",
        list(PRESETS),
        key="preset",
        format_func=PRESETS.__getitem__,
        on_change=_apply_preset,
        args=(view, now),
    )
    with st.form("filter"):
        first, last, zone, decision, apply = st.columns([1.1, 1.1, 1.4, 2, 0.8], vertical_alignment="bottom")
        first.date_input(
            "First day", key="first_day", min_value=EARLIEST, max_value=LATEST, value=None, format="YYYY-MM-DD"
        )
        last.date_input(
            "Last day (included)", key="last_day", min_value=EARLIEST, max_value=LATEST, value=None, format="YYYY-MM-DD"
        )
        zone.selectbox("Time zone", _zones(), key="zone")
        decision.segmented_control(
            "Decision",
            list(Decision),
            key="decision",
            selection_mode="multi",
            format_func=lambda chosen: DECISION_WORDS[chosen].capitalize(),
            help="None chosen: all jobs.",
        )
        apply.form_submit_button("Apply", on_click=_apply_form, args=(view,), width="stretch")
    if st.session_state["apply_error"]:
        st.error(st.session_state["apply_error"], icon=":material/error:")


def _zones() -> list[str]:
    """All zones of the tz database by their names, without its technical ones."""
    named = {name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "SystemV/"))}
    return ["UTC", *sorted(named | ({st.session_state["zone"]} - {"UTC"}))]


def _apply_preset(view: View, now: datetime) -> None:
    preset = st.session_state["preset"]
    if preset is None:
        # Clicked away: the days stay as they are, as a period of their own.
        _go(replace(view, preset=None, after=None))
        return
    bounds = resolve_preset(preset, shown_zone(view), now)
    _go(replace(view.filtered(replace(view.job_filter, range=bounds)), preset=preset))


def _apply_form(view: View) -> None:
    """Write the form into the address, or say what is wrong with it."""
    zone = find_zone(st.session_state["zone"])
    days = st.session_state["first_day"], st.session_state["last_day"]
    chosen = tuple(decision for decision in Decision if decision in st.session_state["decision"])
    bounds, preset = view.job_filter.range, view.preset
    try:
        if days != shown_days(bounds, zone) or zone.key != shown_zone(view).key:
            bounds, preset = days_range(*days, zone), None
    except InvalidParameter as error:
        st.session_state["apply_error"] = str(error)
        return
    st.session_state["apply_error"] = None
    job_filter = replace(view.job_filter, range=bounds, decision=chosen if len(chosen) < len(Decision) else ())
    named_zone = None if zone.key == browser_zone().key else zone.key
    _go(replace(view.filtered(job_filter), preset=preset, zone=named_zone))


def _go(view: View) -> None:
    """Write the address once: one step that Back undoes."""
    st.query_params.from_dict(view.to_params())


def _show_further_filters(view: View) -> None:
    """Name the filters of the address that have no control on this page, and offer to drop them."""
    job_filter = view.job_filter
    plain = JobFilter(range=job_filter.range, decision=job_filter.decision)
    further = {name: value for name, value in job_filter.to_params().items() if name not in plain.to_params()}
    if not further:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text("Also filtered: " + ", ".join(f"{name} = {value}" for name, value in further.items()))
        st.button("Clear", icon=":material/close:", on_click=_go, args=(view.filtered(plain),), key="clear_filters")


def _read_jobs(resources: Resources, person: Actor, view: View, *, with_text: bool) -> tuple[Page, int]:
    """Read a page of jobs, and count them as far as COUNTED + 1."""
    source, timeout = resources.databases.source, resources.settings.fencepost_page_timeout
    folding = source.folding()
    with source.transaction(timeout=timeout) as connection:
        page = page_jobs(
            connection,
            view.job_filter,
            person.wall,
            folding,
            after=view.after,
            limit=view.size,
            texts=Texts.ALL if with_text else Texts.NONE,
        )
        count = count_jobs(connection, view.job_filter, person.wall, folding, limit=COUNTED + 1)
    return page, count


def _record_look(resources: Resources, person: Actor, view: View, shown: int, *, with_text: bool) -> None:
    """Commit to the audit what is about to be shown. Where that fails nothing is: the error ends the page."""
    details = {"filter": view.job_filter.to_params(), "shown": shown, "text": with_text}
    if view.after is not None:
        details["after"] = view.to_params()["after"]
    record(resources.databases, Event.JOBS_LISTED, person, details=details)


# Renewed well within a ticket's life, so that a link on an open page always works.
@st.fragment(run_every=LIFETIME / 2)
def _show_downloads(job_filter: JobFilter, count: int, person: Actor) -> None:
    everything = JobFilter(range=job_filter.range)
    jobs = _name_jobs(job_filter)
    ours = get_resources().databases.ours
    if SPREADSHEET_SAFE not in st.session_state:
        st.session_state[SPREADSHEET_SAFE] = bool(read_preference(ours, person, SPREADSHEET_SAFE))
    wanted = replace(job_filter, spreadsheet_safe=job_filter.spreadsheet_safe or st.session_state[SPREADSHEET_SAFE])
    with st.container(horizontal=True, vertical_alignment="center"):
        st.link_button(
            f"Download CSV · {jobs} · {_name_rows(count)}",
            _ticket_url(wanted, person),
            type="primary",
            icon=":material/download:",
        )
        if job_filter != everything:
            st.link_button(
                "All jobs of this period, as the API",
                _ticket_url(everything, person),
                type="tertiary",
                icon=":material/download:",
            )
        st.toggle(
            "For a spreadsheet",
            key=SPREADSHEET_SAFE,
            on_change=lambda: keep_preference(ours, person, SPREADSHEET_SAFE, st.session_state[SPREADSHEET_SAFE]),
            help="A cell that begins with = + - @ or the like gets a ' in front, so that a spreadsheet does not run it "
            "as a formula. It protects from nothing else, and the file is no longer what the API gives: leave it off "
            "for programs.",
        )
    st.caption("Times in the file are UTC.")


def _ticket_url(job_filter: JobFilter, person: Actor) -> str:
    """Return a link for this person in this browser; scopes are looked up again when it is followed."""
    resources = get_resources()
    browser = st.context.cookies.get(BROWSER_COOKIE, "")
    ticket = resources.office.issue(Ticket(person.name, job_filter, person.session), browser=browser)
    return f"{DOWNLOAD_PATH}?{urlencode({'ticket': ticket})}"


def _name_jobs(job_filter: JobFilter) -> str:
    """Name what a filter means in two or three words."""
    plain = JobFilter(range=job_filter.range, decision=job_filter.decision)
    decisions = " and ".join(DECISION_WORDS[decision] for decision in job_filter.decision)
    filtered = "" if job_filter == plain else "filtered "
    return f"{filtered}{decisions or ('' if filtered else 'all')} jobs".replace("  ", " ")


def _name_rows(count: int) -> str:
    if count > COUNTED:
        return f"{COUNTED:,}+ rows"
    return "1 row" if count == 1 else f"{count:,} rows"


def _show_table_controls() -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.toggle(
            "Show prompts",
            key="show_prompts",
            help="Until you switch this on, prompts and reasons stay on the server.",
        )
        st.space("stretch")
        st.button("Refresh", icon=":material/refresh:", key="refresh")


def _show_pager(view: View, page: Page) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.button(
            "Newer",
            icon=":material/chevron_left:",
            on_click=_go,
            args=(replace(view, after=page.previous),),
            disabled=not page.has_previous,
        )
        st.button(
            "Older",
            icon=":material/chevron_right:",
            icon_position="right",
            on_click=_go,
            args=(replace(view, after=page.next),),
            disabled=page.next is None,
        )
        st.selectbox("Jobs a page", PAGE_SIZES, key="size", on_change=_apply_size, args=(view,), width=140)


def _apply_size(view: View) -> None:
    _go(replace(view, size=st.session_state["size"], after=None))


show()
