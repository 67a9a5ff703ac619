"""The reviews as a CSV file: every verdict, also those that were superseded, with what it remembers of its job."""

from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Text, case, cast, func, select

from core.actor import Actor
from core.audit.events import Event, record
from core.csv.format import guarded, instant
from core.csv.table_file import OwnFile, start_own_file
from core.db.databases import Databases
from core.db.schema import reviews
from core.jobs.filter import Category, JobFilter
from core.jobs.wall import Wall, of_clients

COLUMNS = (
    *("review_id", "act_id", "person", "job_id", "client_id", "job_created_at", "is_prohibited", "evaluated"),
    *(category.column for category in Category),
    *("verdict", "categories", "note", "reviewed_at", "superseded_at", "supersedes", "saw_text"),
)


def start_review_file(
    databases: Databases, job_filter: JobFilter, by: Actor, *, first_byte_timeout: float
) -> AbstractAsyncContextManager[OwnFile]:
    """Start a copy of the reviews of the jobs of the filter's range and client."""

    def note(export_id: UUID) -> None:
        details = {"filter": job_filter.to_params()}
        record(databases, Event.REVIEWS_EXPORTED, by, subject=str(export_id), details=details)

    return start_own_file(
        databases.ours,
        "reviews",
        COLUMNS,
        lambda: _file_query(job_filter, by.wall),
        note,
        first_byte_timeout=first_byte_timeout,
    )


def _file_query(job_filter: JobFilter, wall: Wall) -> Select[Any]:
    """Select verdicts as text. Notes were typed by people, so what a spreadsheet could run gets its guard always."""
    instants = ("job_created_at", "reviewed_at", "superseded_at")
    texts: dict[str, ColumnElement[Any]] = {name: cast(reviews.c[name], Text) for name in COLUMNS}
    texts |= {name: instant(reviews.c[name]) for name in instants}
    texts |= {name: guarded(reviews.c[name]) for name in ("person", "client_id", "note")}
    # No cell at all means that nothing was said about categories; an empty list of them is `none`.
    texts["categories"] = case(
        (func.cardinality(reviews.c.categories) == 0, "none"),
        else_=func.array_to_string(reviews.c.categories, " "),
    )
    query = select(*(texts[name].label(name) for name in COLUMNS)).where(
        reviews.c.job_created_at >= job_filter.range.start,
        reviews.c.job_created_at < job_filter.range.end,
        *of_clients(reviews.c.client_id, wall, job_filter.client_id),
    )
    return query.order_by(reviews.c.review_id)
