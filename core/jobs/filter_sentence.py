"""A filter as a sentence: what a receipt means, for a person who was not there when it was made."""

from collections.abc import Iterable

from core.characters import quote
from core.instants import print_time
from core.jobs.filter import Category, Cell, Decision, JobFilter

DECISION_WORDS = {Decision.REJECT: "rejected", Decision.PASS: "passed", Decision.UNDECIDED: "undecided"}

CATEGORY_NAMES = {
    Category.AI_ADULT_GENERAL: "AI adult content",
    Category.UNDERAGE: "Underage",
    Category.NSFW: "NSFW",
}

_CELL_WORDS = {Cell.TRUE: "is yes", Cell.FALSE: "is no", Cell.EMPTY: "is empty"}


def describe_filter(job_filter: JobFilter, *, longest: int | None = None) -> str:
    """Say in one sentence which jobs are meant, in UTC.

    What came from outside is quoted, shortened to `longest` characters, and cannot change how the rest is read.
    """
    bounds = job_filter.range
    jobs = f"{_either(DECISION_WORDS[decision] for decision in job_filter.decision)} jobs".strip()
    if not job_filter.narrows():
        jobs = "all jobs"
    if job_filter.client_id is not None:
        jobs += f" of client {quote(job_filter.client_id, longest)}"
    span = f"from {print_time(bounds.start)} up to, not including, {print_time(bounds.end)} (UTC)"
    sentence = ", ".join([f"{jobs} {span}", *_conditions(job_filter, longest)])
    return sentence[0].upper() + sentence[1:] + "."


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
    if job_filter.q is not None:
        yield f"prompt contains {quote(job_filter.q, longest)}"
    if job_filter.job_id is not None:
        yield f"job id begins with {quote(job_filter.job_id)}"
    if job_filter.spreadsheet_safe:
        yield "cells guarded for spreadsheets"


def _either(items: Iterable[str]) -> str:
    *others, last = list(items) or [""]
    return f"{', '.join(others)} or {last}" if others else last
