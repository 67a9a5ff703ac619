"""The versions of a text of the policy, and whether verdicts from before each still count."""

from typing import Any

import streamlit as st
from sqlalchemy import Row

from core.actor import Actor, Scope
from core.characters import quote
from core.jobs.filter import Category
from core.jobs.filter_sentence import CATEGORY_NAMES
from core.policy.texts import Kind, Subject, let_count, list_versions
from dashboard.address.zones import browser_zone
from dashboard.session.admission import ADMINS, READERS, as_person, dialog
from dashboard.session.resources import get_resources
from dashboard.widgets.words import name_time
from dashboard.widgets.written_text import show_written


def name_about(subject: Subject) -> str:
    """Name what a text is about, as text: a reason is somebody else's words."""
    match subject.kind:
        case Kind.GENERAL:
            return "In general"
        case Kind.CATEGORY:
            return f"Category {CATEGORY_NAMES[Category(subject.value)]}"
        case Kind.REASON:
            return f"Reason {quote(subject.value)}"


@dialog("History", scopes=READERS | ADMINS, width="large", on_dismiss="rerun")
def history_dialog(person: Actor, subject: Subject) -> None:
    """Show each version, the newest first."""
    st.text(name_about(subject))
    for row in list_versions(get_resources().databases.ours, subject):
        with st.container(border=True, gap="small"):
            if row.text:
                show_written(row.text)
            else:
                st.caption("Taken back: nothing applies.")
            st.text(f"Version {row.version}, {name_time(row.written_at, browser_zone())}, by \u2068{row.address}\u2069")
            _show_counting(person, row)


def _show_counting(person: Actor, row: Row[Any]) -> None:
    """Say whether earlier verdicts count, and let an admin change that."""
    with st.container(horizontal=True, vertical_alignment="center"):
        count = "count" if row.earlier_count else "do not count"
        st.caption(f"Verdicts from before this version {count}.", width="content")
        if Scope.ADMIN_CONFIG in person.scopes:
            st.button(
                "Leave them out" if row.earlier_count else "Let them count",
                type="tertiary",
                # Each has its own, so that a second press on one is never the other.
                key=f"{'leave_out' if row.earlier_count else 'let_count'}_{row.version}",
                on_click=as_person(_recount, ADMINS),
                args=(row.version, not row.earlier_count),
            )


def _recount(person: Actor, version: int, earlier_count: bool) -> None:
    let_count(get_resources().databases, person, version, earlier_count=earlier_count)
