"""Queries over the counts of reasons that are kept beside the jobs by the hour (core/facts/reasons.py).

Hours that have changed since they were counted, and parts of hours, are asked of the jobs themselves, in the same
statement, so that the answer is right at any moment.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Select,
    SmallInteger,
    Text,
    any_,
    cast,
    func,
    literal,
    literal_column,
    null,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY

from core.db.schema import jobs
from core.facts.tables import job_counts, job_reason_counts
from core.jobs.access import JobAccess
from core.jobs.fact_query import CODE_OF_JOB, HOUR, client_or_null, hour_of, list_codes, noted_hours
from core.jobs.filter import JobFilter
from core.jobs.query import conditions_of, hash_text, latest_log, tables_of
from core.jobs.wall import of_clients


def select_reasons(
    job_filter: JobFilter,
    access: JobAccess,
    *,
    hashes: Sequence[int] | None = None,
    breaks: Sequence[datetime] = (),
    by_code: bool = False,
    by_client: bool = False,
) -> Select[Any]:
    """Select rows of an instant, a reason's hash and a number of jobs; the jobs are those of a filter with a reason.

    What lies between two of the `breaks` is to be added up. `hashes`: of these reasons only. `by_code`, `by_client`:
    also the code and the client, which are null otherwise. `reason` and `prompt_hash` are told where a row is a job,
    else null.
    """
    start, end = job_filter.range.start, job_filter.range.end
    split = sorted({hour_of(instant) for instant in (start, end, *breaks) if instant != hour_of(instant)})
    changed = _changed_hours(job_filter, split).cte("changed")
    counts = job_reason_counts.c
    no_code = cast(null(), SmallInteger)
    no_reason, no_prompt = null().cast(Text).label("reason"), null().cast(BigInteger).label("prompt_hash")
    every = counts.client_id.is_not(None) if by_client else counts.client_id.is_(None)
    counted = select(
        *(counts.hour.label("at"), counts.reason_hash, counts.total, no_reason, no_prompt),
        *((counts.code if by_code else no_code).label("code"), client_or_null(counts.client_id, by_client)),
    ).where(
        counts.hour >= start,
        counts.hour < end,
        *(of_clients(counts.client_id, access.wall, job_filter.client_id) or [every]),
        counts.code == func.any(literal(list_codes(job_filter), ARRAY(SmallInteger))),
        ~select(literal(1)).where(changed.c.hour == counts.hour).exists(),
        *_among(counts.reason_hash, hashes),
    )
    if job_filter.reason is not None:
        counted = counted.where(counts.reason_hash == hash_text(literal(job_filter.reason)))
    reason_hash, prompt_hash = hash_text(jobs.c.reason), hash_text(jobs.c.prompt).label("prompt_hash")
    columns: list[ColumnElement[Any]] = [
        *(jobs.c.created_at.label("at"), reason_hash.label("reason_hash"), literal_column("1").label("total")),
        *(jobs.c.reason, prompt_hash),
        *((CODE_OF_JOB if by_code else no_code).label("code"), client_or_null(jobs.c.client_id, by_client)),
    ]
    of_hour = (
        select(*columns)
        .select_from(jobs.outerjoin(latest_log, true()) if by_code else tables_of(job_filter))
        .where(
            jobs.c.created_at >= changed.c.hour,
            jobs.c.created_at < changed.c.hour + HOUR,
            # Written so that the index of reasons, which knows no hours, does not seem to serve it.
            func.coalesce(jobs.c.reason, literal_column("''")) != literal_column("''"),
            *conditions_of(job_filter, access),
            *_among(reason_hash, hashes),
        )
    )
    # OFFSET keeps PostgreSQL from reading the whole range first and choosing among the hours afterwards.
    each = of_hour.correlate(changed).offset(0).lateral("each")
    direct = select(*each.c).select_from(changed.join(each, true()))
    return select(counted.union_all(direct).subquery("reasons"))


def _changed_hours(job_filter: JobFilter, split: Sequence[datetime]) -> Any:
    """Build the query of the hours of a range whose jobs are to be asked themselves."""
    first, end = hour_of(job_filter.range.start), job_filter.range.end
    is_new = select(job_counts.c.hour).where(
        job_counts.c.is_new.expression, job_counts.c.hour >= first, job_counts.c.hour < end
    )
    instants = literal(list(split), ARRAY(DateTime(timezone=True)))
    parts = func.unnest(instants).table_valued("hour", name="split").render_derived()
    return is_new.union(noted_hours(), select(parts.c.hour))


def _among(column: ColumnElement[Any], hashes: Sequence[int] | None) -> list[ColumnElement[bool]]:
    return [] if hashes is None else [column == any_(literal(list(hashes), ARRAY(BigInteger)))]
