"""Which prompts, and reasons that may quote them, are hidden from whom: what is hidden is mostly not even read."""

from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Row, Text, and_, exists, false, func, literal, or_, true
from sqlalchemy.dialects.postgresql import ARRAY

from core.db.schema import jobs
from core.facts.tables import job_reasons
from core.jobs.access import JobAccess, NotedReasons
from core.jobs.filter import Category
from core.jobs.filter_sentence import CATEGORY_NAMES
from core.jobs.query import hash_text, latest_log
from core.jobs.wall import Wall, is_told


class Texts(StrEnum):
    """Which prompts and reasons are read for somebody. The first three are defaults that a person can choose."""

    NONE = "hide-all"
    # Of jobs that were not rejected, have a log, and are flagged by no category.
    UNFLAGGED = "hide-flagged"
    # All but those flagged underage, which is hidden at first under every default.
    NOT_UNDERAGE = "show"
    # After a deliberate act, a switch or a key; without what is withheld.
    ALL = "all"


DEFAULT_TEXTS = Texts.UNFLAGGED


def parse_texts(value: object) -> Texts:
    """Return the default that a person has chosen, or the one for somebody who has chosen none."""
    return next((texts for texts in Texts if texts == value and texts is not Texts.ALL), DEFAULT_TEXTS)


def find_withheld(job: Row[Any], wall: Wall) -> str | None:
    """Return why the texts of a job are never shown behind the wall, or None; `is_told` is the same in SQL."""
    for category in sorted(wall.withheld):
        if job._mapping[category.column]:
            return f"flagged {CATEGORY_NAMES[category]}, which you may not see"
    is_marked = wall.withheld_reasons and job.reason_is_underage
    return "reason marked underage, which you may not see" if is_marked else None


def find_hidden(job: Row[Any], texts: Texts, wall: Wall) -> str | None:
    """Return why the prompt of a job is hidden, in a few words, or None where it is shown.

    The job has the columns of `reason_columns`. `text_is_read` is the same rule in SQL.
    """
    underage = job._mapping[Category.UNDERAGE.column]
    flagged = any(job._mapping[category.column] for category in Category)
    match texts:
        case _ if withheld := find_withheld(job, wall):
            return withheld
        case Texts.NONE:
            return "you hide all prompts"
        case Texts.UNFLAGGED | Texts.NOT_UNDERAGE if underage:
            return "flagged underage"
        case Texts.UNFLAGGED | Texts.NOT_UNDERAGE if job.reason_is_underage:
            return "reason marked underage"
        case Texts.UNFLAGGED if flagged:
            return "flagged"
        case Texts.UNFLAGGED if job.is_prohibited:
            return "rejected"
        case Texts.UNFLAGGED if not job.evaluated:
            return "no moderation log"
    return None


def find_hidden_reason(job: Row[Any], texts: Texts, wall: Wall) -> str | None:
    """Return why the reason of a job is hidden, or None where it is shown; `reason_is_read` is the same in SQL."""
    return find_hidden(job, texts, wall) if job.has_reason and not job.reason_is_rule else None


def reason_columns(access: JobAccess, noted: NotedReasons) -> list[ColumnElement[Any]]:
    """List what tells of a job's reason without telling the reason itself."""
    is_rule, is_underage = reason_is_rule(access, noted), _is_among(noted.underage)
    has_one = jobs.c.reason.is_not(None).label("has_reason")
    return [has_one, is_rule.label("reason_is_rule"), is_underage.label("reason_is_underage")]


def text_is_read(texts: Texts, access: JobAccess, noted: NotedReasons) -> ColumnElement[bool]:
    """Build the condition under which a job's prompt is read: `find_hidden` in SQL."""
    not_underage = and_(
        told := is_told(access.wall), latest_log.c[Category.UNDERAGE.column].is_not(true()), ~_is_among(noted.underage)
    )
    match texts:
        case Texts.NONE:
            return false()
        case Texts.UNFLAGGED:
            flags = (func.coalesce(latest_log.c[category.column], false()) == false() for category in Category)
            return and_(jobs.c.is_prohibited.is_not(true()), latest_log.c.evaluated.is_not(None), not_underage, *flags)
        case Texts.NOT_UNDERAGE:
            return not_underage
        case Texts.ALL:
            return told


def reason_is_read(texts: Texts, access: JobAccess, noted: NotedReasons) -> ColumnElement[bool]:
    """Build the condition under which a job's reason is read: `find_hidden_reason` in SQL."""
    return or_(reason_is_rule(access, noted), text_is_read(texts, access, noted))


def reason_is_rule(access: JobAccess, noted: NotedReasons) -> ColumnElement[bool]:
    """Tell whether a job's reason is the name of a rule: known of all jobs, so nobody behind a wall is told."""
    if not access.wall.sees_all:
        return false()
    if not access.counts_reasons:
        return _is_among(noted.rules)
    # The hash finds it by an index.
    same = (job_reasons.c.reason_hash == hash_text(jobs.c.reason), job_reasons.c.reason == jobs.c.reason)
    return exists().where(*same)


def _is_among(reasons: frozenset[str]) -> ColumnElement[bool]:
    if not reasons:
        return false()
    return func.coalesce(jobs.c.reason == func.any(literal(sorted(reasons), ARRAY(Text))), false())
