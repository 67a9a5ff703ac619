"""Which prompts and reasons are hidden from whom: what is hidden is not sent, and mostly not even read."""

from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    and_,
    false,
    func,
    true,
)

from core.db.schema import jobs
from core.jobs.filter import Category
from core.jobs.query import (
    latest_log,
)

# The name under which a person's own default is kept.
HIDING = "hiding"


class Texts(StrEnum):
    """Which prompts and reasons are read for somebody. The first three are defaults that a person can choose."""

    NONE = "hide-all"
    # Of jobs that were not rejected, have a log, and are flagged by no category.
    UNFLAGGED = "hide-flagged"
    # All but those flagged underage, which is hidden at first under every default.
    NOT_UNDERAGE = "show"
    # After a deliberate act: a switch or a key.
    ALL = "all"


DEFAULT_TEXTS = Texts.UNFLAGGED


def parse_texts(value: object) -> Texts:
    """Return the default that a person has chosen, or the one for somebody who has chosen none."""
    known = (Texts.NONE, Texts.UNFLAGGED, Texts.NOT_UNDERAGE)
    return next((texts for texts in known if texts == value), DEFAULT_TEXTS)


def find_hidden(job: Row[Any], texts: Texts) -> str | None:
    """Return why the text of a job is hidden, in a few words, or None where it is shown.

    `core.jobs.query.text_is_read` is the same rule in SQL.
    """
    underage = job._mapping[Category.UNDERAGE.column]
    flagged = any(job._mapping[category.column] for category in Category)
    match texts:
        case Texts.NONE:
            return "you hide all prompts"
        case Texts.UNFLAGGED if underage:
            return "flagged underage"
        case Texts.UNFLAGGED if flagged:
            return "flagged"
        case Texts.UNFLAGGED if job.is_prohibited:
            return "rejected"
        case Texts.UNFLAGGED if not job.evaluated:
            return "no moderation log"
        case Texts.NOT_UNDERAGE if underage:
            return "flagged underage"
        case _:
            return None


def text_is_read(texts: Texts) -> ColumnElement[bool]:
    """Build the condition under which a job's texts are read: `core.jobs.hidden_text.find_hidden` in SQL."""
    match texts:
        case Texts.NONE:
            return false()
        case Texts.UNFLAGGED:
            flags = (func.coalesce(latest_log.c[category.column], false()) == false() for category in Category)
            return and_(jobs.c.is_prohibited.is_not(true()), latest_log.c.evaluated.is_not(None), *flags)
        case Texts.NOT_UNDERAGE:
            return latest_log.c[Category.UNDERAGE.column].is_not(true())
        case Texts.ALL:
            return true()
