"""The download of what the page shows: the file, the command that gives the same bytes, and the receipt of it."""

from dataclasses import replace
from shlex import quote
from urllib.parse import urlencode, urlsplit

import streamlit as st

from core.actor import Actor
from core.auth.preferences import SPREADSHEET_SAFE, keep_preference, read_preference
from core.auth.tickets import BROWSER_COOKIE, DOWNLOAD_PATH, LIFETIME, Ticket
from core.counts.by_day import count_matching
from core.jobs.access import make_access
from core.jobs.filter import JobFilter
from core.jobs.filter_sentence import DECISION_WORDS
from dashboard.exports.receipt_corner import await_receipt, show_receipt
from dashboard.session.admission import admitted, as_person, fragment
from dashboard.session.resources import get_resources
from dashboard.widgets.primary_button import emphasis

# Beyond this many the exact number costs more than it tells, unless somebody asks for it.
COUNTED = 10_000

# Seconds that an exact count may take.
COUNT_TIMEOUT = 60

EXPORT_PATH = "/api/v1/jobs/export"


# Renewed well within a ticket's life, so that a link on an open page always works.
@fragment(run_every=LIFETIME / 2)
def show_downloads(person: Actor, job_filter: JobFilter, count: int | None) -> None:
    """Show the links to the file, and what goes with them."""
    # No gap: the receipt stands in a corner and takes no room here.
    with st.container(gap=None):
        _show_links(job_filter, count, person)
        show_receipt()


def _show_links(job_filter: JobFilter, count: int | None, person: Actor) -> None:
    everything = JobFilter(range=job_filter.range)
    ours = get_resources().databases.ours
    if SPREADSHEET_SAFE not in st.session_state:
        st.session_state[SPREADSHEET_SAFE] = bool(read_preference(ours, person, SPREADSHEET_SAFE))
    wanted = replace(job_filter, spreadsheet_safe=job_filter.spreadsheet_safe or st.session_state[SPREADSHEET_SAFE])
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        exact = _exact_count(job_filter)
        st.link_button(
            f"Download CSV · {_name_jobs(job_filter)} · {_name_rows(count, exact)}",
            _ticket_url(wanted, person),
            type=emphasis(),
            icon=":material/download:",
            key="download",
            on_click=admitted(await_receipt),
        )
        if job_filter != everything:
            st.link_button(
                "All jobs of this period, as the API",
                _ticket_url(everything, person),
                type="tertiary",
                icon=":material/download:",
                key="download_everything",
                on_click=admitted(await_receipt),
            )
        st.toggle(
            "For a spreadsheet",
            key=SPREADSHEET_SAFE,
            on_change=as_person(_keep_safe),
            help="A cell that begins with = + - @ or the like gets a ' in front, so that a spreadsheet does not run it "
            "as a formula. It protects from nothing else, and the file is no longer what the API gives: leave it off "
            "for programs.",
        )
        if (count is None or count > COUNTED) and exact is None:
            st.button(
                "Count exactly", type="tertiary", key="count_exactly", on_click=as_person(_count), args=(job_filter,)
            )
        with st.popover("As a command", icon=":material/terminal:"):
            st.caption("The same bytes with an API key in `FENCEPOST_KEY`; it must see these jobs.")
            st.code(curl_command(_origin(), wanted), language="bash", wrap_lines=True)


def curl_command(origin: str, job_filter: JobFilter) -> str:
    """Write the command that gives exactly the bytes of the download."""
    address = f"{origin}{EXPORT_PATH}?{urlencode(job_filter.to_params())}"
    return f'curl --fail -OJ -H "Authorization: Bearer $FENCEPOST_KEY" \\\n  {quote(address)}'


def _origin() -> str:
    parts = urlsplit(st.context.url or "")
    return f"{parts.scheme}://{parts.netloc}"


def _exact_count(job_filter: JobFilter) -> int | None:
    counted: tuple[JobFilter, int] | None = st.session_state.get("counted")
    return counted[1] if counted is not None and counted[0] == job_filter else None


def _keep_safe(person: Actor) -> None:
    keep_preference(get_resources().databases.ours, person, SPREADSHEET_SAFE, st.session_state[SPREADSHEET_SAFE])


def _count(person: Actor, job_filter: JobFilter) -> None:
    databases = get_resources().databases
    access = make_access(databases, person.wall)
    with databases.source.transaction(timeout=COUNT_TIMEOUT) as connection:
        st.session_state["counted"] = (
            job_filter,
            count_matching(connection, job_filter, access, limit=None),
        )


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


def _name_rows(count: int | None, exact: int | None) -> str:
    if exact is None and count is None:
        return "not counted"
    if exact is None and count is not None and count > COUNTED:
        return f"{COUNTED:,}+ rows"
    number = count if exact is None else exact
    return "1 row" if number == 1 else f"{number:,} rows"
