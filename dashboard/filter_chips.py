"""The active filters as chips: each says what it does, and a click drops it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import MAXYEAR, MINYEAR, timedelta

import streamlit as st

from core.database import Folding
from core.filter_sentence import CATEGORY_NAMES, DECISION_WORDS
from core.filters import Category, Cell, JobFilter
from core.query import Wall, count_jobs, find_newest
from dashboard.address import View
from dashboard.filter_form import CELL_WORDS, EVALUATED_WORDS, go
from dashboard.periods import days_range
from dashboard.plain import escape
from dashboard.resources import get_resources
from dashboard.zones import shown_zone


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
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for chip in chips:
            st.button(
                chip.label,
                icon=":material/close:",
                icon_position="right",
                key=f"chip_{chip.name}",
                help="Drop this filter",
                on_click=go,
                args=(view.filtered(chip.without),),
            )
        everything = JobFilter(range=view.job_filter.range)
        st.button("Clear all", type="tertiary", key="clear_filters", on_click=go, args=(view.filtered(everything),))


def show_nothing_found(view: View, wall: Wall) -> None:
    """Say that nothing matches and which condition alone has removed everything, and offer to drop it.

    Where the whole period is empty, as after an import of older jobs, the newest ones are offered.
    """
    st.info("No jobs match.", icon=":material/search_off:")
    resources = get_resources()
    source, chips = resources.databases.source, list_chips(view.job_filter)
    folding = source.folding()
    offered = False
    with st.container(gap="small"):
        for chip in chips:
            found = _count(chip.without, wall, folding)
            if found:
                offered = True
                st.button(
                    f"Without {chip.label}: {_name_count(found)}",
                    icon=":material/filter_alt_off:",
                    key=f"drop_{chip.name}",
                    on_click=go,
                    args=(view.filtered(chip.without),),
                )
    if offered:
        return
    if chips and _count(JobFilter(range=view.job_filter.range), wall, folding):
        st.caption("No single filter removed everything: several did together. Drop some of them above.")
        return
    whatever = ", whatever the filters" if chips else ""
    st.caption(f"There is no job in this period{whatever}: choose another one.")
    _offer_newest(view, wall)


def _offer_newest(view: View, wall: Wall) -> None:
    """Offer the last days in which there are jobs, if there are any."""
    resources, zone = get_resources(), shown_zone(view)
    with resources.databases.source.transaction(timeout=resources.settings.fencepost_page_timeout) as connection:
        newest = find_newest(connection, wall)
    # The days of the years 1 and 9999 are beyond what can be picked.
    if newest is None or not MINYEAR < newest.year < MAXYEAR:
        return
    last = newest.astimezone(zone).date()
    bounds = days_range(last - timedelta(days=6), last, zone)
    st.button(
        f"The newest job is of {last.day} {last:%b %Y}: show its week",
        icon=":material/history:",
        key="show_newest",
        on_click=go,
        args=(replace(view.filtered(replace(view.job_filter, range=bounds)), preset=None),),
    )


# Beyond this many it does not matter how many more there are.
_ENOUGH = 1_000


def _count(job_filter: JobFilter, wall: Wall, folding: Folding) -> int:
    resources = get_resources()
    with resources.databases.source.transaction(timeout=resources.settings.fencepost_page_timeout) as connection:
        return count_jobs(connection, job_filter, wall, folding, limit=_ENOUGH + 1)


def _name_count(count: int) -> str:
    if count > _ENOUGH:
        return f"{_ENOUGH:,}+ jobs"
    return "1 job" if count == 1 else f"{count:,} jobs"


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
    if job_filter.q is not None:
        yield Chip("q", f"Prompt contains “{escape(job_filter.q)}”", replace(job_filter, q=None))
    if job_filter.job_id is not None:
        yield Chip("job_id", f"Job id {escape(job_filter.job_id)}…", replace(job_filter, job_id=None))
    if job_filter.spreadsheet_safe:
        yield Chip("spreadsheet_safe", "Guarded for spreadsheets", replace(job_filter, spreadsheet_safe=False))
