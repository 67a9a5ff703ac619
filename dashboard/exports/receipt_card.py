"""A receipt as people read it: one in a list, or all that it says."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import streamlit as st
from sqlalchemy import Row

from core.characters import quote
from core.errors import InvalidParameter
from core.export.receipts import Contents, Status, Via
from core.instants import print_time
from core.jobs.filter import JobFilter
from core.jobs.filter_sentence import describe_filter
from dashboard.widgets.step_button import show_step
from dashboard.widgets.words import count_of, name_bytes, name_duration, name_time

# Word, sign and colour, so that no state is told by colour alone.
BADGES: dict[str, tuple[str, str, Any]] = {
    Status.RUNNING: ("Running", ":material/progress_activity:", "blue"),
    Status.COMPLETE: ("Complete", ":material/check_circle:", "green"),
    Status.INTERRUPTED: ("Interrupted", ":material/front_hand:", "orange"),
    Status.FAILED: ("Failed", ":material/error:", "red"),
}

MEANINGS: dict[str, str] = {
    Status.RUNNING: "The file is still being written.",
    Status.COMPLETE: "The file was sent in full. A file with this hash is the whole export.",
    Status.INTERRUPTED: "The reader went away or stopped reading. What arrived is not the whole export: start again.",
    Status.FAILED: "Fencepost could not finish sending it. What arrived is not the whole export: start again.",
}

DOORS: dict[str, str] = {Via.API: "through the API", Via.DASHBOARD: "from the dashboard", Via.CLI: "from the shell"}

SEVERAL_SERVERS = (
    "The jobs are on several servers, and each was read as it was within moments of this time. "
    "What was written on two of them in those moments may be here in part."
)

# Characters of each text from outside in a list.
SHORT = 60


def show_in_list(receipt: Row[Any], person: str, zone: ZoneInfo) -> None:
    """Show the essence of a receipt, and the link to all of it."""
    with st.container(border=True, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            show_badge(receipt)
            st.text(f"{count_of(receipt.rows, 'row')} · {name_bytes(receipt.bytes)}")
            st.space("stretch")
            export_id = str(receipt.export_id)
            show_step(
                f"Receipt {export_id[:8]}", ":material/receipt_long:", {"export": export_id}, key=f"open_{export_id}"
            )
        st.text(_sentence(receipt, SHORT, zone))
        st.text(
            f"{name_time(receipt.started_at, zone)} · {_took(receipt)} {name_duration(_duration(receipt))}"
            f" · by {name_requester(receipt, person)}{'' if receipt.via == Via.CLI else f' {DOORS[receipt.via]}'}"
        )


def show_whole(receipt: Row[Any], person: str, zone: ZoneInfo) -> None:
    """Show all that a receipt says."""
    with st.container(border=True):
        show_badge(receipt)
        st.text(MEANINGS[receipt.status])
        _show_fact("What", _sentence(receipt, None, zone))
        if receipt.clients is not None:
            _show_fact("Of these clients", ", ".join(map(quote, receipt.clients)) or "none")
        job_filter = find_filter(receipt)
        if job_filter is not None:
            st.page_link(
                "jobs/page.py",
                label="Show these jobs",
                icon=":material/list:",
                query_params=job_filter.to_params(),
            )
        first, second, third = st.columns(3)
        with first:
            _show_fact("Rows", f"{receipt.rows:,}")
            _show_fact("Started", name_time(receipt.started_at, zone))
        with second:
            _show_fact("Size", name_bytes(receipt.bytes, exact=True))
            _show_fact(_took(receipt).capitalize(), name_duration(_duration(receipt)))
        with third:
            _show_fact("Requested by", name_requester(receipt, person))
            _show_fact("Door", DOORS[receipt.via].capitalize().replace("api", "API"))
        if receipt.snapshot_at is not None:
            _show_fact("Shows the jobs as they were at", f"{print_time(receipt.snapshot_at)} (UTC)")
        if receipt.snapshot is not None:
            st.caption(SEVERAL_SERVERS)
        _show_code("Export", str(receipt.export_id))
        if receipt.sha256 is not None:
            _show_code("SHA-256 of the file", receipt.sha256)


def show_badge(receipt: Row[Any]) -> None:
    word, sign, color = BADGES[receipt.status]
    st.badge(word, icon=sign, color=color)


def find_filter(receipt: Row[Any]) -> JobFilter | None:
    """Return the filter of a receipt with the client in force, or None where it is of a version that knew others."""
    client = {} if receipt.client_id is None else {"client_id": receipt.client_id}
    try:
        return JobFilter.from_params((receipt.filter | client).items())
    except InvalidParameter:
        return None


def name_requester(receipt: Row[Any], person: str) -> str:
    """Name who asked for an export: oneself, a person's address, a key's name, or the name in the receipt."""
    if receipt.requested_by == person:
        return "you"
    if receipt.key_name is not None:
        return f"the key {quote(receipt.key_name, SHORT)}"
    if receipt.requested_by == "cli":
        return "the command line"
    return quote(receipt.address or receipt.requested_by, SHORT)


def _sentence(receipt: Row[Any], longest: int | None, zone: ZoneInfo) -> str:
    job_filter = find_filter(receipt)
    if job_filter is not None:
        verdicts = "" if receipt.contents == Contents.JOBS else "Verdicts on these: "
        return f"{verdicts}{describe_filter(job_filter, longest=longest, zone=zone)}"
    return ", ".join(f"{name} = {quote(str(value), longest)}" for name, value in receipt.filter.items())


def _took(receipt: Row[Any]) -> str:
    return "running for" if receipt.status == Status.RUNNING else "took"


def _duration(receipt: Row[Any]) -> timedelta:
    """How long an export runs or ran; one that was lost ran as long as it gave a sign of life."""
    end = receipt.read_at if receipt.status == Status.RUNNING else receipt.heartbeat_at
    duration: timedelta = end - receipt.started_at
    return duration


def _show_fact(label: str, value: str) -> None:
    """Show a fact; the value may come from outside, so it is text."""
    with st.container(gap=None):
        st.caption(label)
        st.text(value)


def _show_code(label: str, code: str) -> None:
    """Show what is to be copied, with a button for it."""
    with st.container(gap=None):
        st.caption(label)
        st.code(code, language=None, wrap_lines=True)
