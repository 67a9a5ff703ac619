"""Audit: who did what and when, for those who may configure Fencepost."""

from datetime import date
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import streamlit as st

from core.actor import Actor
from core.audit.events import Event, record
from core.audit.filter import LONGEST_WHO, AuditFilter
from core.audit.pages import EventPage, page_events
from core.auth.tickets import AUDIT_PATH, BROWSER_COOKIE, LIFETIME, Download, Ticket
from core.errors import InvalidParameter
from dashboard.address.periods import days_range, describe, shown_days
from dashboard.address.reading import read_or_default
from dashboard.address.steps import write_address
from dashboard.address.zones import browser_zone
from dashboard.audit.address import AuditView, parse_audit_view
from dashboard.audit.table import show_events
from dashboard.session.admission import ADMINS, admitted, fragment
from dashboard.session.person import find_admin
from dashboard.session.resources import Resources, get_resources
from dashboard.session.step_up import ask_again
from dashboard.widgets.fields import Form, follow_address

PAGE_SIZE = 100

EARLIEST, LATEST = date(1970, 1, 2), date(2999, 12, 30)

EVERYTHING = AuditView(AuditFilter())


def show() -> None:
    """Run the page."""
    resources = get_resources()
    person = find_admin()
    if person is None:
        st.error("The audit is for administrators: ask for the scope admin:config.", icon=":material/lock:")
        st.stop()
    st.title("Audit")
    if not person.is_fresh:
        ask_again("the audit")
        return
    zone = browser_zone()
    view = _read_address()
    _show_filter(view, zone)
    page = _read_events(resources, view)
    _record_look(resources, person, view, len(page.rows))
    bounds = view.audit_filter.range
    st.caption("All days, newest first." if bounds is None else describe(bounds, zone))
    if page.rows:
        show_events(page.rows, zone)
    else:
        st.info("No events match. Choose other days or clear the filter.", icon=":material/search_off:")
    _show_pager(view, page)
    _show_download(view.audit_filter)


def _read_address() -> AuditView:
    """Parse the address; where it is wrong, say so and show everything."""
    return read_or_default(parse_audit_view, lambda: EVERYTHING, named="the whole audit")


def _show_filter(view: AuditView, zone: ZoneInfo) -> None:
    address = (view.audit_filter.to_params(), zone.key)
    bounds = view.audit_filter.range
    first_day, last_day = (None, None) if bounds is None else shown_days(bounds, zone)
    form = follow_address(
        "audit_filter",
        address,
        {
            "audit_first_day": first_day and min(max(first_day, EARLIEST), LATEST),
            "audit_last_day": last_day and min(max(last_day, EARLIEST), LATEST),
            "audit_events": list(view.audit_filter.event),
            "audit_who": view.audit_filter.who or "",
        },
    )

    def show(name: str) -> dict[str, Any]:
        return {"value": form.values[name], "key": form.key(name)}

    with st.form("audit_filter"):
        first, last, events, who, apply = st.columns([1.4, 1.4, 1.9, 1.5, 0.8], vertical_alignment="bottom")
        for column, label, name in (
            (first, "First day", "audit_first_day"),
            (last, "Last day (included)", "audit_last_day"),
        ):
            column.date_input(label, min_value=EARLIEST, max_value=LATEST, format="YYYY-MM-DD", **show(name))
        events.multiselect(
            "Events",
            list(Event),
            form.values["audit_events"],
            key=form.key("audit_events"),
            format_func=_name_event,
            placeholder="All",
        )
        who.text_input(
            "Who",
            max_chars=LONGEST_WHO,
            placeholder="Anybody",
            help="A part of the person's address, of the key's id, or of the network address.",
            **show("audit_who"),
        )
        apply.form_submit_button("Apply", on_click=admitted(_apply, ADMINS), args=(view, zone, form), width="stretch")
    if view.audit_filter != EVERYTHING.audit_filter:
        st.button(
            "Clear", icon=":material/close:", on_click=admitted(_go, ADMINS), args=(EVERYTHING,), key="audit_clear"
        )
    if form.refusal is not None:
        st.error("The filter stays as it was.", icon=":material/error:")
        st.text(form.refusal)


def _name_event(event: Event) -> str:
    return event.value.replace("-", " ").capitalize()


def _apply(view: AuditView, zone: ZoneInfo, form: Form) -> None:
    """Write the form into the address, or say what is wrong with it."""
    days = form.read("audit_first_day"), form.read("audit_last_day")
    chosen = tuple(event for event in Event if event in form.read("audit_events"))
    bounds = view.audit_filter.range
    try:
        if days == (None, None):
            bounds = None
        elif bounds is None or days != shown_days(bounds, zone):
            bounds = days_range(*days, zone)
        who = form.read("audit_who").strip() or None
        applied = AuditFilter(range=bounds, event=chosen, who=who)
        AuditFilter.from_params(applied.to_params().items())
    except InvalidParameter as error:
        # A field of this form begins its sentence as the label does.
        form.refuse(f"{str(error)[:1].upper()}{str(error)[1:]}")
        return
    form.apply()
    _go(AuditView(applied))


def _go(view: AuditView) -> None:
    """Write the address once: one step that Back undoes."""
    write_address(view.to_params())


def _read_events(resources: Resources, view: AuditView) -> EventPage:
    ours, timeout = resources.databases.ours, resources.settings.fencepost_page_timeout
    folding = ours.folding()
    with ours.transaction(timeout=timeout) as connection:
        return page_events(connection, view.audit_filter, folding, after=view.after, limit=PAGE_SIZE)


def _record_look(resources: Resources, person: Actor, view: AuditView, shown: int) -> None:
    """Commit to the audit what is about to be shown of it. Where that fails nothing is: the error ends the page."""
    details: dict[str, object] = {"filter": view.audit_filter.to_params(), "shown": shown}
    if view.after is not None:
        details["after"] = view.to_params()["after"]
    record(resources.databases, Event.AUDIT_LISTED, person, details=details)


def _show_pager(view: AuditView, page: EventPage) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Newest",
            icon=":material/first_page:",
            on_click=admitted(_go, ADMINS),
            args=(AuditView(view.audit_filter),),
            disabled=view.after is None,
        )
        st.button(
            "Older",
            icon=":material/chevron_right:",
            icon_position="right",
            on_click=admitted(_go, ADMINS),
            args=(AuditView(view.audit_filter, page.next),),
            disabled=page.next is None,
        )
        st.space("stretch")
        st.button("Refresh", icon=":material/refresh:", key="audit_refresh")


# Renewed well within a ticket's life, so that a link on an open page always works.
@fragment(run_every=LIFETIME / 2, scopes=ADMINS)
def _show_download(person: Actor, audit_filter: AuditFilter) -> None:
    resources = get_resources()
    browser = st.context.cookies.get(BROWSER_COOKIE, "")
    ticket = resources.office.issue(Ticket(Download.AUDIT, person.name, audit_filter, person.session), browser=browser)
    st.link_button(
        "Download CSV · all events of this filter",
        f"{AUDIT_PATH}?{urlencode({'ticket': ticket})}",
        icon=":material/download:",
    )
    st.caption("Times in the file are UTC. Cells that a spreadsheet could take for a formula begin with a '.")


show()
