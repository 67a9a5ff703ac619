"""Queries over the counts of reasons that are kept beside the jobs by the hour (core/facts/reasons.py).

Hours that have changed since they were counted, and parts of hours, are asked of the jobs themselves, in the same
statement, so that the answer is right at any moment.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
    DateTime,
    Select,
    SmallInteger,
    Text,
    any_,
    cast,
    column,
    func,
    literal,
    literal_column,
    null,
    select,
    true,
    union,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.selectable import LateralFromClause

from core.db.schema import jobs
from core.facts.tables import job_counts, job_facts_unsettled, job_reason_counts
from core.jobs.access import JobAccess
from core.jobs.fact_query import HOUR, asks_only_for_facts, hour_of, list_codes, see_facts, total_query
from core.jobs.filter import Decision, JobFilter
from core.jobs.query import JOB_KEY, conditions_of, hash_text, tables_of, without_facts, without_reason
from core.jobs.strata import LONGEST_REASON
from core.jobs.wall import of_clients

_INSTANTS = ARRAY(DateTime(timezone=True))

K = TypeVar("K")

# How many jobs each hour has that has any, by the seconds since 1970 at which it begins, the earliest first.
Hours = dict[int, int]

# A job by its number, from 1 on in the order of (created_at, job_id), among those of a kind in an hour.
Place = tuple[K, datetime, int]


@dataclass(frozen=True, slots=True)
class ReasonKind:
    """Jobs of one decision with one reason, of which the beginning is told, or with none."""

    is_prohibited: bool
    reason_hash: int | None
    reason: str | None


def are_counted(connection: Connection, job_filter: JobFilter, access: JobAccess) -> bool:
    """Tell whether the reasons of a filter's jobs are counted beside the jobs, and the counts can be used now."""
    return (
        access.counts_reasons
        # Whether a reason is the name of a rule is known of all jobs, and nobody else's are to be seen behind a wall.
        and access.wall.sees_all
        # A reason that is asked for may be of jobs whose texts are withheld.
        and not (access.wall.withheld and job_filter.reason is not None)
        and asks_only_for_facts(without_reason(job_filter))
        and see_facts(connection, access).has_facts
    )


def select_reasons(
    job_filter: JobFilter,
    access: JobAccess,
    *,
    hashes: Sequence[int] | None = None,
    breaks: Sequence[datetime] = (),
) -> Select[Any]:
    """Select rows of an instant, a reason's hash and a number of jobs; the jobs are those of a filter with a reason.

    What lies between two of the `breaks` is to be added up. `hashes`: of these reasons only. `reason` and
    `prompt_hash` are told where a row is a job, else null.
    """
    start, end = job_filter.range.start, job_filter.range.end
    split = sorted({hour_of(instant) for instant in (start, end, *breaks) if instant != hour_of(instant)})
    changed = _changed_hours(job_filter, split).cte("changed")
    counts = job_reason_counts.c
    no_reason, no_prompt = cast(null(), Text).label("reason"), cast(null(), BigInteger).label("prompt_hash")
    counted = select(counts.hour.label("at"), counts.reason_hash, counts.total, no_reason, no_prompt).where(
        counts.hour >= start,
        counts.hour < end,
        *(of_clients(counts.client_id, access.wall, job_filter.client_id) or [counts.client_id.is_(None)]),
        counts.code == func.any(literal(list_codes(job_filter), ARRAY(SmallInteger))),
        ~select(literal(1)).where(changed.c.hour == counts.hour).exists(),
        *_among(counts.reason_hash, hashes),
    )
    if job_filter.reason is not None:
        counted = counted.where(counts.reason_hash == hash_text(literal(job_filter.reason)))
    reason_hash, prompt_hash = hash_text(jobs.c.reason), hash_text(jobs.c.prompt).label("prompt_hash")
    columns = (jobs.c.created_at.label("at"), reason_hash.label("reason_hash"), jobs.c.reason, prompt_hash)
    of_hour = (
        select(*columns)
        .select_from(tables_of(job_filter))
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
    direct = select(
        each.c.at, each.c.reason_hash, literal_column("1").label("total"), each.c.reason, each.c.prompt_hash
    ).select_from(changed.join(each, true()))
    return select(union_all(counted, direct).subquery("reasons"))


def count_by_reason(
    connection: Connection, job_filter: JobFilter, access: JobAccess, *, most: int
) -> dict[ReasonKind, Hours] | None:
    """Count the decided jobs of a filter by decision, reason and hour; the kinds stand in an order.

    None where counts do not tell that, or where there are more than `most` reasons.
    """
    if job_filter.reason is not None or not are_counted(connection, job_filter, access):
        return None
    found = select_reasons(job_filter, access).subquery("found")
    hashes = list(connection.execute(select(found.c.reason_hash).distinct().limit(most + 1)).scalars())
    if len(hashes) > most:
        return None
    reasons = _find_beginnings(connection, hashes)
    counted: dict[ReasonKind, Hours] = {}
    for decision in (Decision.REJECT, Decision.PASS):
        if decision not in job_filter.decision:
            continue
        one = replace(job_filter, decision=(decision,))
        rest = _add_up(connection, total_query(one, access, ()), None).get(None, Counter())
        with_reason = _add_up(connection, select_reasons(one, access), "reason_hash")
        for reason_hash, hours in with_reason.items():
            rest.subtract(hours)
            kind = ReasonKind(decision is Decision.REJECT, reason_hash, reasons[reason_hash])
            counted[kind] = dict(sorted(hours.items()))
        if rest := +rest:
            counted[ReasonKind(decision is Decision.REJECT, None, None)] = dict(sorted(rest.items()))
    return counted


def _add_up(connection: Connection, rows: Select[Any], name: str | None) -> dict[Any, Counter[int]]:
    """Add rows up by their hours, and by a column."""
    found = rows.subquery("found")
    by = null() if name is None else found.c[name]
    hour = cast(func.extract("epoch", _bin_hour(found.c.at)), BigInteger)
    each = select(by.label("by"), hour.label("hour"), found.c.total).subquery("each")
    query = select(each.c.by, each.c.hour, func.sum(each.c.total)).group_by(each.c.by, each.c.hour)
    hours: dict[Any, Counter[int]] = {}
    for value, at, number in connection.execute(query.order_by(each.c.by, each.c.hour)):
        if number:
            hours.setdefault(value, Counter())[at] = int(number)
    return hours


def _find_beginnings(connection: Connection, hashes: Sequence[int]) -> dict[int, str]:
    """Return how the reasons with some hashes begin, as far as that tells strata apart."""
    one = (
        func.unnest(literal(list(hashes), ARRAY(BigInteger))).table_valued(column("hash", BigInteger)).render_derived()
    )
    beginning = (
        select(func.left(jobs.c.reason, LONGEST_REASON))
        .where(hash_text(jobs.c.reason) == one.c.hash, jobs.c.reason.is_not(None))
        .limit(1)
        .correlate(one)
        .scalar_subquery()
    )
    return {row[0]: row[1] for row in connection.execute(select(one.c.hash, beginning))}


def find_by_reason(
    connection: Connection, job_filter: JobFilter, access: JobAccess, places: Sequence[Place[ReasonKind]]
) -> list[UUID]:
    """Return the ids of the jobs at some places, in their order; in the snapshot in which these were counted."""
    arrays = (
        literal([kind.is_prohibited for kind, _, _ in places], ARRAY(Boolean)),
        literal([kind.reason_hash for kind, _, _ in places], ARRAY(BigInteger)),
        literal([hour for _, hour, _ in places], _INSTANTS),
        literal([number for _, _, number in places], ARRAY(BigInteger)),
    )
    columns = (
        column("is_prohibited", Boolean),
        column("reason_hash", BigInteger),
        column("hour", DateTime(timezone=True)),
        column("number", BigInteger),
    )
    picks = func.unnest(*arrays).table_valued(*columns, with_ordinality="place", name="picked").render_derived()
    picked = select(picks).cte("picked")

    def at(*has_reason: ColumnElement[bool]) -> LateralFromClause:
        return (
            select(jobs.c.job_id)
            .where(
                *conditions_of(without_facts(job_filter), access),
                jobs.c.created_at >= picked.c.hour,
                jobs.c.created_at < picked.c.hour + HOUR,
                jobs.c.is_prohibited == picked.c.is_prohibited,
                *has_reason,
            )
            .order_by(*JOB_KEY)
            .offset(picked.c.number - 1)
            .limit(1)
            .correlate(picked)
            .lateral("one")
        )

    some = at(hash_text(jobs.c.reason) == picked.c.reason_hash, jobs.c.reason.is_not(None))
    none = at(func.coalesce(jobs.c.reason, literal_column("''")) == literal_column("''"))
    found = union_all(
        select(picked.c.place, some.c.job_id).select_from(picked.join(some, picked.c.reason_hash.is_not(None))),
        select(picked.c.place, none.c.job_id).select_from(picked.join(none, picked.c.reason_hash.is_(None))),
    ).subquery("found")
    return list(connection.execute(select(found.c.job_id).order_by(found.c.place)).scalars())


def _bin_hour(instant: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.date_bin(literal_column("interval '1 hour'"), instant, literal_column("timestamptz '2000-01-01Z'"))


def _changed_hours(job_filter: JobFilter, split: Sequence[datetime]) -> Any:
    """Build the query of the hours of a range whose jobs are to be asked themselves."""
    first, end = hour_of(job_filter.range.start), job_filter.range.end

    is_new = select(job_counts.c.hour).where(
        job_counts.c.is_new.expression, job_counts.c.hour >= first, job_counts.c.hour < end
    )
    noted = select(_bin_hour(job_facts_unsettled.c.created_at)).where(job_facts_unsettled.c.created_at.is_not(None))
    of_noted = select(_bin_hour(jobs.c.created_at)).join_from(
        job_facts_unsettled, jobs, jobs.c.job_id == job_facts_unsettled.c.job_id
    )
    parts = func.unnest(literal(list(split), _INSTANTS)).table_valued("hour", name="split").render_derived()
    return union(is_new, noted, of_noted, select(parts.c.hour))


def _among(column: ColumnElement[Any], hashes: Sequence[int] | None) -> list[ColumnElement[bool]]:
    return [] if hashes is None else [column == any_(literal(list(hashes), ARRAY(BigInteger)))]
