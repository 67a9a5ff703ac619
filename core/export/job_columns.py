"""The eleven columns of an export, and the query that gives them."""

from typing import Any

from sqlalchemy import ColumnElement, Select, Text, cast

from core.csv.format import guarded, instant, make_header
from core.db.schema import jobs
from core.export.by_facts import category_columns, select_by_facts, time_columns
from core.jobs.access import JobAccess
from core.jobs.filter import Category, JobFilter
from core.jobs.query import JOB_KEY, latest_log, select_jobs

COLUMNS = (
    *("job_id", "type", "status", "is_prohibited", "created_at", "completed_at", "prompt", "reason"),
    *(category.column for category in Category),
)


HEADER = make_header(COLUMNS)


def export_query(job_filter: JobFilter, access: JobAccess) -> Select[Any]:
    """Select the jobs as the eleven columns of text, in the order of the export.

    `access.has_facts`: facts are complete in the snapshot that is read, so that categories come from them.
    """
    texts: dict[str, ColumnElement[Any]] = {
        "job_id": jobs.c.job_id,
        "type": _guarded(jobs.c.type, job_filter),
        "status": _guarded(jobs.c.status, job_filter),
        "is_prohibited": cast(jobs.c.is_prohibited, Text),
        "created_at": instant(jobs.c.created_at),
        "completed_at": instant(jobs.c.completed_at),
        "prompt": _guarded(jobs.c.prompt, job_filter),
        "reason": _guarded(jobs.c.reason, job_filter),
    }
    if access.has_facts:
        cells = category_columns()
        texts |= time_columns(job_filter, access)
    else:
        cells = [cast(latest_log.c[category.column], Text) for category in Category]
    texts |= {category.column: cell for category, cell in zip(Category, cells, strict=True)}
    columns: list[ColumnElement[Any]] = [texts[name].label(name) for name in COLUMNS]
    if access.has_facts:
        return select_by_facts(columns, job_filter, access)
    return select_jobs(job_filter, access, columns).order_by(*JOB_KEY)


def _guarded(column: ColumnElement[Any], job_filter: JobFilter) -> ColumnElement[Any]:
    return guarded(column) if job_filter.spreadsheet_safe else column
