"""The active filters as chips: each says what it does, and a click drops it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import streamlit as st

from core.jobs.filter import Category, Cell, JobFilter
from core.jobs.filter_sentence import CATEGORY_NAMES, DECISION_WORDS, SHOWN_ITEMS
from dashboard.address.current import read_current
from dashboard.address.view import View, go
from dashboard.jobs.filter_form import CELL_WORDS, EVALUATED_WORDS, FLAGGED_WORDS, HAS_REASON_WORDS, TEXT_NAMES
from dashboard.session.admission import admitted
from dashboard.widgets.markdown_escape import escape


@dataclass(frozen=True, slots=True)
class Chip:
    """One condition of a filter: its name in an address, what it says (Markdown), and the filter without it."""

    name: str
    label: str
    without: JobFilter


def list_chips(job_filter: JobFilter) -> list[Chip]:
    """List the conditions of a filter beyond its range."""
    return list(_chips(job_filter))


def show_chips(view: View) -> None:
    """Show a chip for each condition, and one button that drops them all."""
    chips = list_chips(view.job_filter)
    if not chips:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", width="content"):
        for chip in chips:
            st.button(
                chip.label,
                icon=":material/close:",
                icon_position="right",
                key=f"chip_{chip.name}",
                help="Drop this filter",
                on_click=admitted(_drop),
                args=(view, chip.name),
            )
        everything = JobFilter(range=view.job_filter.range)
        st.button(
            "Clear all", type="tertiary", key="clear_filters", on_click=admitted(go), args=(view.filtered(everything),)
        )


def _drop(shown: View, name: str) -> None:
    """Drop a condition of the address, which may have lost others since the chip was drawn."""
    view = read_current(shown)
    for chip in list_chips(view.job_filter):
        if chip.name == name:
            go(view.filtered(chip.without))


def _chips(job_filter: JobFilter) -> Iterator[Chip]:
    if job_filter.decision:
        words = " or ".join(DECISION_WORDS[decision] for decision in job_filter.decision)
        yield Chip("decision", words.capitalize(), replace(job_filter, decision=()))
    if job_filter.client_id is not None:
        yield Chip("client_id", f"Client {escape(job_filter.client_id)}", replace(job_filter, client_id=None))
    if job_filter.type:
        yield Chip("type", f"Type {' or '.join(map(escape, job_filter.type))}", replace(job_filter, type=()))
    if job_filter.status:
        yield Chip("status", f"Status {' or '.join(job_filter.status)}", replace(job_filter, status=()))
    if job_filter.category:
        names = " or ".join(CATEGORY_NAMES[category] for category in job_filter.category)
        yield Chip("category", f"Flagged {names}", replace(job_filter, category=()))
    if job_filter.no_category:
        yield Chip("category", "Evaluated, not flagged", replace(job_filter, no_category=False))
    for category in Category:
        if category in job_filter.cells:
            cells: dict[Category, Cell] = {
                other: cell for other, cell in job_filter.cells.items() if other is not category
            }
            label = f"{CATEGORY_NAMES[category]}: {CELL_WORDS[job_filter.cells[category]].lower()}"
            yield Chip(category.column, label, replace(job_filter, cells=cells))
    if job_filter.evaluated is not None:
        yield Chip("evaluated", EVALUATED_WORDS[job_filter.evaluated], replace(job_filter, evaluated=None))
    if job_filter.flagged is not None:
        yield Chip("flagged", FLAGGED_WORDS[job_filter.flagged], replace(job_filter, flagged=None))
    if job_filter.q is not None:
        yield Chip("q", f"{TEXT_NAMES['q']} “{escape(job_filter.q)}”", replace(job_filter, q=None))
    if job_filter.reason is not None:
        yield Chip("reason", f"Reason “{escape(job_filter.reason)}”", replace(job_filter, reason=None))
    if job_filter.reason_contains is not None:
        label = f"{TEXT_NAMES['reason_contains']} “{escape(job_filter.reason_contains)}”"
        yield Chip("reason_contains", label, replace(job_filter, reason_contains=None))
    if job_filter.has_reason is not None:
        yield Chip("has_reason", HAS_REASON_WORDS[job_filter.has_reason], replace(job_filter, has_reason=None))
    if job_filter.job_id:
        yield Chip("job_id", f"Job id {_name_some(job_filter.job_id)}", replace(job_filter, job_id=()))
    if job_filter.api_key_id:
        yield Chip("api_key_id", f"API key {_name_some(job_filter.api_key_id)}", replace(job_filter, api_key_id=()))
    if job_filter.spreadsheet_safe:
        yield Chip("spreadsheet_safe", "Guarded for spreadsheets", replace(job_filter, spreadsheet_safe=False))


def _name_some(items: Sequence[str]) -> str:
    """Name the first of some ids, and how many others there are."""
    if len(items) <= SHOWN_ITEMS:
        return " or ".join(map(escape, items))
    return f"{escape(items[0])} or {len(items) - 1} others"
