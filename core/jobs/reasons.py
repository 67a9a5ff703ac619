"""The reasons of the jobs of a filter: how often each was given, and how often in the time before.

Where reasons are counted beside the jobs they come from there, else one grouped query reads the jobs.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import (
    CTE,
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
    DateTime,
    Select,
    Text,
    and_,
    case,
    cast,
    column,
    exists,
    func,
    literal,
    literal_column,
    null,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.selectable import LateralFromClause
from sqlalchemy.types import TypeEngine

from core.db.schema import jobs
from core.facts.reasons import PROMPTS_OF_A_RULE
from core.facts.tables import job_reason_counts, job_reasons
from core.jobs.access import JobAccess
from core.jobs.fact_query import HOUR, hour_of, total_query
from core.jobs.filter import LONGEST_SEARCH, DateRange, Decision, JobFilter
from core.jobs.query import JOB_KEY, conditions_of, count_jobs, hash_text, reason_is, tables_of, without_facts
from core.jobs.reason_hours import are_counted, select_reasons
from core.jobs.strata import LONGEST_REASON
from core.jobs.wall import of_clients

K = TypeVar("K")

# How many jobs each hour has that has any, by the seconds since 1970 at which it begins, the earliest first.
Hours = dict[int, int]

# A job by its number, from 1 on in the order of (created_at, job_id), among those of a kind in an hour.
Place = tuple[K, datetime, int]

# Reasons that are listed, the commonest.
MOST_REASONS = 1_000


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """A reason that is the name of a rule: of how many jobs, and of how many in the time of the same length before.

    `is_new`: no job before the range has it. Where the jobs are not ours, none in the time before has.
    """

    reason: str
    jobs: int
    before: int
    is_new: bool


@dataclass(frozen=True, slots=True)
class Reasons:
    """The reasons of some jobs, the commonest first; those that may quote a prompt are counted and not told."""

    listed: Sequence[ReasonCount]
    hidden: int
    hidden_jobs: int
    # Jobs with any reason; an empty one is none.
    jobs: int


@dataclass(frozen=True, slots=True)
class ReasonKind:
    """Jobs of one decision with one reason, of which the beginning is told, or with none."""

    is_prohibited: bool
    reason_hash: int | None
    reason: str | None


def count_reasons(connection: Connection, job_filter: JobFilter, access: JobAccess) -> Reasons:
    """Count the jobs of each reason. A reason that may quote a prompt never leaves the database."""
    counted = are_counted(connection, job_filter, access)
    found = list(connection.execute(_counted_query(job_filter, access) if counted else _query(job_filter, access)))
    rules = {reason: int(total) for reason, total, _, _ in found if reason is not None}
    hidden = next(((int(number), int(total)) for reason, total, number, _ in found if reason is None), (0, 0))
    before = _count_before(connection, job_filter, access, list(rules), counted=counted)
    unseen = [each for each in rules if each not in before]
    unknown = _find_unknown(connection, job_filter, access, unseen, counted=counted)
    counts = [ReasonCount(each, total, before.get(each, 0), each in unknown) for each, total in rules.items()]
    return Reasons(counts, *hidden, jobs=int(found[0][3]) if found else 0)


def list_rules(
    connection: Connection, job_filter: JobFilter, access: JobAccess, *, limit: int
) -> dict[str, int] | None:
    """Return the names of rules with their numbers of jobs, the commonest first; None where that is not counted."""
    if not are_counted(connection, job_filter, access):
        return None
    found = connection.execute(_counted_query(job_filter, access).limit(limit + 1))
    return {reason: int(total) for reason, total, _, _ in found if reason is not None}


def count_with_reason(connection: Connection, job_filter: JobFilter, access: JobAccess) -> int:
    """Count the jobs of a filter that have a reason."""
    plain = replace(job_filter, has_reason=None)
    if not are_counted(connection, plain, access):
        return count_jobs(connection, replace(job_filter, has_reason=True), access)
    found = select_reasons(plain, access).subquery("found")
    return int(connection.execute(select(func.coalesce(func.sum(found.c.total), 0))).scalar_one())


def find_reasons(
    connection: Connection, job_filter: JobFilter, access: JobAccess, ids: Sequence[UUID], among: Sequence[str]
) -> dict[UUID, str]:
    """Return the reasons of those of some jobs that a filter means, where they are among some reasons."""
    query = select(jobs.c.job_id, jobs.c.reason).select_from(tables_of(job_filter))
    query = query.where(jobs.c.job_id == func.any(list(ids)), jobs.c.reason == func.any(_texts(among)))
    return {row[0]: row[1] for row in connection.execute(query.where(*conditions_of(job_filter, access)))}


def _query(job_filter: JobFilter, access: JobAccess) -> Select[Any]:
    """Build the query over the jobs: the hidden reasons as one row, which comes first, then each that is told."""
    each = (
        select(
            jobs.c.reason,
            func.count().label("total"),
            func.count(hash_text(jobs.c.prompt).distinct()).label("prompts"),
        )
        .select_from(tables_of(job_filter))
        .where(jobs.c.reason != "", *conditions_of(job_filter, access))
        .group_by(jobs.c.reason)
        .subquery("each")
    )
    # A longer one is not what a filter can ask for.
    is_rule = and_(each.c.prompts >= PROMPTS_OF_A_RULE, func.length(each.c.reason) <= LONGEST_SEARCH)
    return _list_rules(case((is_rule, each.c.reason)), each.c.total)


def _counted_query(job_filter: JobFilter, access: JobAccess) -> Select[Any]:
    """Build the same over the counts beside the jobs: what is known to be the name of a rule is one, in any filter."""
    found = select_reasons(job_filter, access).cte("found")
    each = (
        select(found.c.reason_hash, func.sum(found.c.total).label("total"))
        .group_by(found.c.reason_hash)
        .subquery("each")
    )
    known = select(job_reasons.c.reason_hash, job_reasons.c.reason).where(job_reasons.c.reason.is_not(None))
    # Of jobs that are not counted yet it is not known yet, either.
    fresh = (
        select(found.c.reason_hash, func.min(found.c.reason))
        .where(found.c.prompt_hash.is_not(None), func.length(found.c.reason) <= LONGEST_SEARCH)
        .group_by(found.c.reason_hash)
        .having(func.count(found.c.prompt_hash.distinct()) >= PROMPTS_OF_A_RULE)
    )
    either = union_all(known, fresh).subquery("either")
    rules = (
        select(either.c.reason_hash, func.min(either.c.reason).label("reason"))
        .group_by(either.c.reason_hash)
        .subquery("rules")
    )
    query = _list_rules(rules.c.reason, each.c.total)
    return query.select_from(each.outerjoin(rules, rules.c.reason_hash == each.c.reason_hash))


def _list_rules(listed: ColumnElement[Any], total: ColumnElement[Any]) -> Select[Any]:
    query = select(listed, func.sum(total), func.count(), func.sum(func.sum(total)).over())
    return query.group_by(listed).order_by(listed.is_not(None), func.sum(total).desc(), listed).limit(MOST_REASONS + 1)


def _count_before(
    connection: Connection, job_filter: JobFilter, access: JobAccess, reasons: Sequence[str], *, counted: bool
) -> dict[str, int]:
    """Count the jobs of some reasons in the time of the same length before."""
    start, end = job_filter.range.start, job_filter.range.end
    try:
        earlier = replace(job_filter, range=DateRange(start - (end - start), start))
    except OverflowError:
        return {}
    if not reasons:
        return {}
    if not counted:
        query = select(jobs.c.reason, func.count()).select_from(tables_of(job_filter)).group_by(jobs.c.reason)
        query = query.where(jobs.c.reason == func.any(_texts(reasons)), *conditions_of(earlier, access))
        return {reason: int(count) for reason, count in connection.execute(query)}
    hashes = hash_reasons(connection, reasons)
    found = select_reasons(earlier, access, hashes=list(hashes)).subquery("found")
    query = select(found.c.reason_hash, func.sum(found.c.total)).group_by(found.c.reason_hash)
    return {hashes[found_hash]: int(count) for found_hash, count in connection.execute(query)}


def hash_reasons(connection: Connection, reasons: Sequence[str]) -> dict[int, str]:
    """Return some reasons by their hashes."""
    one = func.unnest(_texts(reasons)).table_valued("reason").render_derived()
    return {row[0]: row[1] for row in connection.execute(select(hash_text(one.c.reason), one.c.reason))}


def _find_unknown(
    connection: Connection, job_filter: JobFilter, access: JobAccess, reasons: Sequence[str], *, counted: bool
) -> set[str]:
    """Return which of some reasons no job before the range has, as far as that can be told by an index."""
    if not reasons:
        return set()
    if not access.jobs_are_ours:
        return set(reasons)
    start, client_id = job_filter.range.start, job_filter.client_id
    one = func.unnest(_texts(reasons)).table_valued("reason").render_derived()
    earlier = exists().where(
        reason_is(one.c.reason, access),
        jobs.c.created_at < start,
        *of_clients(jobs.c.client_id, access.wall, client_id),
    )
    query = select(one.c.reason).where(~earlier)
    if counted and client_id is not None:
        # The index of reasons knows no clients: what the counts tell spares a walk through those of all others.
        counts = job_reason_counts.c
        query = query.where(
            ~exists().where(
                counts.reason_hash == hash_text(one.c.reason),
                counts.client_id == client_id,
                counts.hour < hour_of(start),
            )
        )
    return set(connection.execute(query).scalars())


def _texts(reasons: Sequence[str]) -> ColumnElement[Any]:
    return literal(list(reasons), ARRAY(Text))


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
    at = func.date_bin(literal_column("interval '1 hour'"), found.c.at, literal_column("timestamptz '2000-01-01Z'"))
    hour = cast(func.extract("epoch", at), BigInteger)
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


def list_places(places: Sequence[Place[K]], **told: TypeEngine[Any]) -> CTE:
    """List places as rows of what tells their kinds (the attributes of these names), hour, number, and their order."""
    values = {name: (type_, [getattr(kind, name) for kind, _, _ in places]) for name, type_ in told.items()} | {
        "hour": (DateTime(timezone=True), [hour for _, hour, _ in places]),
        "number": (BigInteger(), [number for _, _, number in places]),
    }
    arrays = (literal(listed, ARRAY(type_)) for type_, listed in values.values())
    columns = (column(name, type_) for name, (type_, _) in values.items())
    picks = func.unnest(*arrays).table_valued(*columns, with_ordinality="place", name="picked").render_derived()
    return select(picks).cte("picked")


def find_by_reason(
    connection: Connection, job_filter: JobFilter, access: JobAccess, places: Sequence[Place[ReasonKind]]
) -> list[UUID]:
    """Return the ids of the jobs at some places, in their order; in the snapshot in which these were counted."""
    picked = list_places(places, is_prohibited=Boolean(), reason_hash=BigInteger())

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
