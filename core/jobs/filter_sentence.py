"""A filter as a sentence: what a receipt means, for a person who was not there when it was made."""

from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

from core.characters import quote
from core.instants import is_repeated, print_time
from core.jobs.filter import Category, Cell, DateRange, Decision, JobFilter

DECISION_WORDS = {Decision.REJECT: "rejected", Decision.PASS: "passed", Decision.UNDECIDED: "undecided"}

CATEGORY_NAMES = {
    Category.AI_ADULT_GENERAL: "AI adult content",
    Category.UNDERAGE: "Underage",
    Category.NSFW: "NSFW",
}

# Of a list of ids, those that are said where a sentence is to be short.
SHOWN_ITEMS = 3

_CELL_WORDS = {Cell.TRUE: "is yes", Cell.FALSE: "is no", Cell.EMPTY: "is empty"}

_UTC = ZoneInfo("UTC")


def describe_filter(job_filter: JobFilter, *, longest: int | None = None, zone: ZoneInfo = _UTC) -> str:
    """Say in one sentence which jobs are meant, in a zone; in UTC where its clocks do not show the bounds once each.

    What came from outside is quoted, shortened to `longest` characters, and cannot change how the rest is read.
    """
    bounds = job_filter.range
    jobs = f"{_either(DECISION_WORDS[decision] for decision in job_filter.decision)} jobs".strip()
    if not job_filter.narrows():
        jobs = "all jobs"
    if job_filter.client_id is not None:
        jobs += f" of client {quote(job_filter.client_id, longest)}"
    zone = zone if _is_clear(bounds, zone) else _UTC
    start, end = print_time(bounds.start, zone), print_time(bounds.end, zone)
    span = f"from {start} up to, not including, {end} ({zone.key})"
    sentence = ", ".join([f"{jobs} {span}", *_conditions(job_filter, longest)])
    return sentence[0].upper() + sentence[1:] + "."


def _is_clear(bounds: DateRange, zone: ZoneInfo) -> bool:
    """Tell whether the clocks of a zone show each of the bounds once."""
    try:
        return not any(is_repeated(bound.astimezone(zone)) for bound in (bounds.start, bounds.end))
    except OverflowError:
        return False


def _conditions(job_filter: JobFilter, longest: int | None) -> Iterable[str]:
    if job_filter.type:
        yield f"type {_either(quote(item, longest) for item in job_filter.type)}"
    if job_filter.status:
        yield f"status {_either(job_filter.status)}"
    if job_filter.category:
        yield f"flagged {_either(CATEGORY_NAMES[category] for category in job_filter.category)}"
    if job_filter.no_category:
        yield "evaluated and not flagged"
    for category in Category:
        if category in job_filter.cells:
            yield f"{CATEGORY_NAMES[category]} {_CELL_WORDS[job_filter.cells[category]]}"
    if job_filter.evaluated is not None:
        yield "with a moderation log" if job_filter.evaluated else "without a moderation log"
    if job_filter.flagged is not None:
        yield "flagged by any category" if job_filter.flagged else "not flagged"
    if job_filter.q is not None:
        yield f"prompt contains {quote(job_filter.q, longest)}"
    if job_filter.reason is not None:
        yield f"reason is {quote(job_filter.reason, longest)}"
    if job_filter.reason_contains is not None:
        yield f"reason contains {quote(job_filter.reason_contains, longest)}"
    if job_filter.has_reason is not None:
        yield "with a reason" if job_filter.has_reason else "without a reason"
    if job_filter.job_id:
        yield f"job id begins with {_either(_quote_some(job_filter.job_id, longest))}"
    if job_filter.api_key_id:
        yield f"submitted with API key {_either(_quote_some(job_filter.api_key_id, longest))}"
    if job_filter.spreadsheet_safe:
        yield "cells guarded for spreadsheets"


def _quote_some(items: Sequence[str], longest: int | None) -> list[str]:
    """Quote all items, or the first three and the number of others where the sentence is to be short."""
    shown = items if longest is None or len(items) <= SHOWN_ITEMS + 1 else items[:SHOWN_ITEMS]
    others = [f"{len(items) - len(shown)} others"] if len(shown) < len(items) else []
    return [*(quote(item, longest) for item in shown), *others]


def _either(items: Iterable[str]) -> str:
    *others, last = list(items) or [""]
    return f"{', '.join(others)} or {last}" if others else last
