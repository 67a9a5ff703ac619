"""The page of exports: what became of each, live; the receipt of one; and whether a file is a complete export."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import streamlit as st
from sqlalchemy import Row

from core.actor import Actor, Scope
from core.errors import InvalidParameter
from core.export.receipt_pages import ReceiptKey, ReceiptPage, find_listed_receipt, page_receipts
from core.export.receipts import Status, find_complete_receipt
from core.export.verification import Inspection, explain
from core.instants import parse_instant, print_exact
from dashboard.address.reading import read_or_default
from dashboard.address.zones import browser_zone
from dashboard.exports.file_check import ask_for_file
from dashboard.exports.receipt_card import show_in_list, show_whole
from dashboard.session.admission import ANY, fragment, may_be_in_dialog
from dashboard.session.person import find_person
from dashboard.session.resources import get_resources
from dashboard.widgets.step_button import show_step

PAGE_SIZE = 20

# Seconds between two looks at what is running.
LIVE = 2

# Finds the person who looks, anew at every run and every look at what is running: None where there is nobody any more.
# Finds who is there; told whether they did something, which keeps their session, or the page looks by itself.
FindPerson = Callable[[bool], Actor | None]

NOT_YOURS = "There is no export with this id among those you may see. Check the address, or ask whoever sent it."


@dataclass(frozen=True, slots=True)
class Place:
    """What the address asks for: one export, or the list after a key."""

    export_id: UUID | None = None
    after: ReceiptKey | None = None


def show(find_person: FindPerson) -> None:
    """Run the page. It shows nothing, and asks the database nothing, where nobody is found who may see exports."""
    if _find_reader(find_person) is None:
        st.stop()
    st.title("Exports")
    place = read_or_default(parse_place, Place, named="the list of exports")
    verify = fragment(scopes=ANY, find=partial(find_person, True))(_show_verification)
    if place.export_id is None:
        verify("list")
        _show_list(find_person, place.after)
    else:
        _show_receipt(find_person, place.export_id)
        verify(str(place.export_id))


def parse_place(params: list[tuple[str, str]]) -> Place:
    """Parse an address. Raises `InvalidParameter` where it is wrong in any way."""
    given = dict(params)
    if len(given) < len(params) or not given.keys() <= {"export", "after"}:
        raise InvalidParameter("This page takes export and after, once each: remove everything else from its address.")
    try:
        export_id = UUID(given["export"]) if "export" in given else None
    except ValueError:
        raise InvalidParameter("export is not the id of an export: copy it from its receipt.") from None
    started_at, _, last_id = given.get("after", "").partition("_")
    try:
        after = ReceiptKey(parse_instant("after", started_at), UUID(last_id)) if "after" in given else None
    except (ValueError, InvalidParameter):
        raise InvalidParameter("after is not a place in the list: go back to the first page.") from None
    return Place(export_id, after)


def _find_reader(find_person: FindPerson) -> Actor | None:
    """Return the person if it is one who may see exports, or None."""
    person = find_person(True)
    return person if person is not None and person.scopes & {Scope.JOB_EXPORT, Scope.ADMIN_CONFIG} else None


def _whose(person: Actor) -> str | None:
    """Return whose exports a person may see: None for everybody's."""
    return None if Scope.ADMIN_CONFIG in person.scopes else person.name


def _show_list(find_person: FindPerson, after: ReceiptKey | None) -> None:
    person = _find_reader(find_person)
    if person is None:
        st.stop()
    everybody = Scope.ADMIN_CONFIG in person.scopes
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header("Everybody's exports" if everybody else "Your exports")
        st.space("stretch")
        st.button("Refresh", icon=":material/refresh:", key="refresh_exports")
    page = page_receipts(get_resources().databases, _whose(person), after=after, limit=PAGE_SIZE)
    if page.is_live:
        fragment(run_every=LIVE, scopes=ANY, find=partial(find_person, False))(_watch)(after)
    else:
        _show_page(page, person)


def _watch(person: Actor, after: ReceiptKey | None) -> None:
    """Show what is there now, as long as anything runs; then run the whole page once more, which stops watching.

    That would close a dialog, which is waited for.
    """
    page = page_receipts(get_resources().databases, _whose(person), after=after, limit=PAGE_SIZE)
    if not page.is_live and not may_be_in_dialog():
        st.rerun()
    _show_page(page, person)


def _show_page(page: ReceiptPage, person: Actor) -> None:
    if not page.rows:
        st.info(
            "There are no exports here yet. Download a CSV on the Jobs page, and its receipt appears.",
            icon=":material/receipt_long:",
        )
    for receipt in page.rows:
        show_in_list(receipt, person.name, browser_zone())
    if page.has_previous or page.next is not None:
        with st.container(horizontal=True):
            newer, older = _print_place(page.previous), _print_place(page.next)
            show_step("Newer", ":material/chevron_left:", newer, key="newer", disabled=not page.has_previous)
            show_step("Older", ":material/chevron_right:", older, key="older", disabled=page.next is None)


def _print_place(after: ReceiptKey | None) -> dict[str, str]:
    """Print a place in the list as the parameters of an address."""
    return {} if after is None else {"after": f"{print_exact(after.started_at)}_{after.export_id}"}


def _show_receipt(find_person: FindPerson, export_id: UUID) -> None:
    show_step("All exports", ":material/arrow_back:", {}, key="all_exports")
    person = _find_reader(find_person)
    if person is None:
        st.stop()
    receipt = _find_receipt(person, export_id)
    if receipt is not None and receipt.status == Status.RUNNING:
        fragment(run_every=LIVE, scopes=ANY, find=partial(find_person, False))(_watch_receipt)(export_id)
    else:
        _show_found(person, receipt)


def _watch_receipt(person: Actor, export_id: UUID) -> None:
    """Show a receipt as long as its export runs; then run the whole page once more, as `_watch` does."""
    receipt = _find_receipt(person, export_id)
    if (receipt is None or receipt.status != Status.RUNNING) and not may_be_in_dialog():
        st.rerun()
    _show_found(person, receipt)


def _find_receipt(person: Actor, export_id: UUID) -> Row[Any] | None:
    return find_listed_receipt(get_resources().databases, _whose(person), export_id)


def _show_found(person: Actor, receipt: Row[Any] | None) -> None:
    if receipt is None:
        st.info(NOT_YOURS, icon=":material/lock:")
    else:
        show_whole(receipt, person.name, browser_zone())


def _show_verification(person: Actor, place: str) -> None:
    """Ask for a file, and say whether it is a complete export."""
    st.header("Verify a file")
    found = ask_for_file(place)
    if found is not None:
        _show_verdict(found, person)


def _show_verdict(found: Inspection, person: Actor) -> None:
    """Say what a file is; whose export it is only to those who may see its receipt.

    Who holds the whole file knows all its jobs already, and learns only that none is missing.
    """
    receipt = find_complete_receipt(get_resources().databases.ours, found.sha256, preferred=person.name)
    if receipt is None:
        st.error("This is not a complete export.", icon=":material/error:")
        st.text(explain(found))
        return
    st.success("This is a complete export: not a byte is missing or changed.", icon=":material/verified:")
    st.text(f"It holds {found.records:,} records in {found.bytes:,} bytes.")
    if _whose(person) in (None, receipt["requested_by"]):
        show_step("Its receipt", ":material/receipt_long:", {"export": receipt["export_id"]}, key="its_receipt")
    else:
        st.text("Somebody else made it, so its receipt is not shown here.")


if __name__ == "__main__":
    show(lambda acts: find_person(get_resources().settings, acts=acts))
