"""The download of what the page shows: the file, the command that gives the same bytes, and the receipt of it."""

from dataclasses import replace
from shlex import quote
from urllib.parse import urlencode, urlsplit

import streamlit as st

from core.actor import Actor
from core.auth.preferences import SPREADSHEET_SAFE, keep_preference, read_preference
from core.auth.tickets import BROWSER_COOKIE, DOWNLOAD_PATH, LIFETIME, Download, Ticket
from core.counts.by_day import count_matching
from core.export.export import WITHHELD
from core.jobs.access import make_access
from core.jobs.filter import JobFilter
from core.jobs.wall import Wall
from dashboard.exports.receipt_corner import await_receipt, show_receipt
from dashboard.session.admission import EXPORTERS, admitted, as_person, fragment
from dashboard.session.resources import get_resources
from dashboard.session.step_up import ask_again
from dashboard.widgets.primary_button import emphasis

# Beyond this many the exact number costs more than it tells, unless somebody asks for it.
COUNTED = 10_000

# Seconds that an exact count may take.
COUNT_TIMEOUT = 60

# Characters of a cell that Excel and LibreOffice keep.
LONGEST_CELL = 32_767

EXPORT_PATH = "/api/v1/jobs/export"


# Renewed well within a ticket's life, so that a link on an open page always works.
@fragment(run_every=LIFETIME / 2, scopes=EXPORTERS)
def show_downloads(person: Actor, job_filter: JobFilter, count: int | None) -> None:
    """Show the link to the file, and one menu of what else can be had."""
    if person.wall.withheld:
        st.caption(WITHHELD)
        return
    ours = get_resources().databases.ours
    if SPREADSHEET_SAFE not in st.session_state:
        st.session_state[SPREADSHEET_SAFE] = bool(read_preference(ours, person, SPREADSHEET_SAFE))
    wanted = replace(job_filter, spreadsheet_safe=job_filter.spreadsheet_safe or st.session_state[SPREADSHEET_SAFE])
    # Without a gap: the receipt in the corner is an element here, too, and the list must not move for it.
    with st.container(gap=None):
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", width="content"):
            exact = _exact_count(job_filter, person.wall)
            rows = _name_rows(count, exact)
            _show_link(f"Download CSV · {rows}", wanted, person, key="download")
            more = st.popover("More downloads", key="more_downloads", on_change="rerun")
            if more.open:
                with more:
                    _show_more(wanted, person)
                    if (count is None or count > COUNTED) and exact is None:
                        st.button(
                            "Count exactly",
                            key="count_exactly",
                            on_click=as_person(_count, EXPORTERS),
                            args=(job_filter,),
                        )
        show_receipt()


def _show_link(label: str, job_filter: JobFilter, person: Actor, *, key: str) -> None:
    st.link_button(
        # What the link says is what the file is: the switch takes a moment to reach it.
        f"{label} · guarded" if job_filter.spreadsheet_safe else label,
        _ticket_url(job_filter, person),
        type=emphasis() if key == "download" else "secondary",
        icon=":material/download:",
        key=key,
        on_click=admitted(await_receipt),
    )


def _show_more(wanted: JobFilter, person: Actor) -> None:
    # Other pages know the choice, too: so it is not the widget's own value, which would end with this page.
    st.toggle(
        "Safe to open in a spreadsheet",
        value=st.session_state[SPREADSHEET_SAFE],
        key=f"{SPREADSHEET_SAFE}_choice",
        on_change=as_person(_keep_choice),
    )
    st.caption(
        "Puts a ' in front of cells that begin with = + - @ or the like, so that a spreadsheet does not run them as "
        "formulas; the download then says “guarded”. Leave it off for programs: the file then has the same bytes as "
        f"the API's. A spreadsheet cuts cells after {LONGEST_CELL:,} characters, and saving it there would lose the "
        "rest."
    )
    everything = JobFilter(range=wanted.range, spreadsheet_safe=wanted.spreadsheet_safe)
    if wanted != everything:
        _show_link("Download all jobs of this period", everything, person, key="download_everything")
    if not person.is_fresh:
        ask_again(f"a download of more than {get_resources().settings.fencepost_step_up_rows:,} rows")
    st.caption("On the command line: the same bytes, with an API key in `FENCEPOST_KEY` that may see these jobs.")
    st.code(curl_command(_origin(), wanted), language="bash", wrap_lines=True)
    st.caption("Times in the file are in UTC.")


def _keep_choice(person: Actor) -> None:
    chosen: bool = st.session_state[f"{SPREADSHEET_SAFE}_choice"]
    st.session_state[SPREADSHEET_SAFE] = chosen
    keep_preference(get_resources().databases.ours, person, SPREADSHEET_SAFE, chosen)


def curl_command(origin: str, job_filter: JobFilter) -> str:
    """Write the command that gives exactly the bytes of the download."""
    address = f"{origin}{EXPORT_PATH}?{urlencode(job_filter.to_params())}"
    return f'curl --fail -OJ -H "Authorization: Bearer $FENCEPOST_KEY" \\\n  {quote(address)}'


def _origin() -> str:
    parts = urlsplit(st.context.url or "")
    return f"{parts.scheme}://{parts.netloc}"


def _exact_count(job_filter: JobFilter, wall: Wall) -> int | None:
    counted: tuple[tuple[JobFilter, Wall], int] | None = st.session_state.get("counted")
    return counted[1] if counted is not None and counted[0] == (job_filter, wall) else None


def _count(person: Actor, job_filter: JobFilter) -> None:
    databases = get_resources().databases
    access = make_access(databases, person.wall)
    with databases.source.transaction(timeout=COUNT_TIMEOUT, is_snapshot=True) as connection:
        st.session_state["counted"] = (
            (job_filter, person.wall),
            count_matching(connection, job_filter, access, limit=None),
        )


def _ticket_url(job_filter: JobFilter, person: Actor) -> str:
    """Return a link for this person in this browser; scopes are looked up again when it is followed."""
    resources = get_resources()
    browser = st.context.cookies.get(BROWSER_COOKIE, "")
    ticket = resources.office.issue(Ticket(Download.JOBS, person.name, job_filter, person.session), browser=browser)
    return f"{DOWNLOAD_PATH}?{urlencode({'ticket': ticket})}"


def _name_rows(count: int | None, exact: int | None) -> str:
    if exact is None and count is None:
        return "not counted"
    if exact is None and count is not None and count > COUNTED:
        return f"{COUNTED:,}+ rows"
    number = count if exact is None else exact
    return "1 row" if number == 1 else f"{number:,} rows"
