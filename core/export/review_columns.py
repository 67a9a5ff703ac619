"""The columns of an export of verdicts, and the query that gives them."""

from typing import Any

from sqlalchemy import ColumnElement, Select, Text, case, cast, func, select

from core.csv.format import guarded, instant, make_header
from core.db.schema import reviews
from core.jobs.filter import Category, JobFilter
from core.jobs.wall import Wall, of_clients

COLUMNS = (
    *("review_id", "act_id", "person", "job_id", "client_id", "job_created_at", "is_prohibited", "evaluated"),
    *(category.column for category in Category),
    *("verdict", "categories", "note", "reviewed_at", "superseded_at", "supersedes", "saw_text"),
)

HEADER = make_header(COLUMNS)


def review_query(job_filter: JobFilter, wall: Wall) -> Select[Any]:
    """Select the verdicts on jobs of a filter's range and client as text, every one, also those that were superseded.

    Notes were typed by people, so what a spreadsheet could run gets its guard always.
    """
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
