"""The reasons of the jobs of a filter: how often each was given, how often in the time before, and to which jobs.

Where reasons are counted beside the jobs they come from there, else one grouped query reads the jobs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
    DateTime,
    Select,
    SmallInteger,
    Text,
    and_,
    case,
    column,
    exists,
    func,
    literal,
    literal_column,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeEngine

from core.db.schema import jobs
from core.facts.reasons import PROMPTS_OF_A_RULE
from core.facts.tables import job_facts, job_reason_counts, job_reasons
from core.jobs.access import JobAccess
from core.jobs.fact_query import (
    CODE_OF_JOB,
    HOUR,
    asks_only_for_facts,
    hour_of,
    in_range_and_wall,
    noted_hours,
    see_facts,
)
from core.jobs.filter import LONGEST_SEARCH, DateRange, JobFilter
from core.jobs.query import (
    JOB_KEY,
    conditions_of,
    count_jobs,
    hash_text,
    latest_log,
    reason_is,
    tables_of,
    without_facts,
    without_reason,
)
from core.jobs.reason_hours import select_reasons
from core.jobs.strata import LONGEST_REASON, Place
from core.jobs.wall import of_clients

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


def are_counted(connection: Connection, job_filter: JobFilter, access: JobAccess) -> bool:
    """Tell whether the reasons of a filter's jobs, and which of them are names of rules, can be had from counts now."""
    # Whether a reason is the name of a rule is known of all jobs, and nobody else's are to be seen behind a wall.
    return access.wall.sees_all and have_counts(connection, job_filter, access)


def have_counts(connection: Connection, job_filter: JobFilter, access: JobAccess) -> bool:
    """Tell whether how many of a filter's jobs have each reason is counted beside the jobs, and can be used now."""
    return (
        access.counts_reasons
        # A reason that is asked for may be of jobs whose texts are withheld.
        and not (access.wall.withheld and job_filter.reason is not None)
        and asks_only_for_facts(without_reason(job_filter))
        and see_facts(connection, access).has_facts
    )


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


def find_beginnings(connection: Connection, hashes: Sequence[int]) -> dict[int, str]:
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


def find_places(
    connection: Connection, job_filter: JobFilter, access: JobAccess, places: Sequence[Place], *, by_reason: bool
) -> list[UUID]:
    """Return the ids of the jobs at some places, in their order; in the snapshot in which these were counted.

    Of each hour only the jobs up to a place are read: by an index of facts or, where they have a reason, by that of
    reasons; where some of the hour are noted as unsettled, the jobs and their logs themselves.
    `by_reason`: whether reasons tell kinds apart.
    """
    noted = set(connection.execute(noted_hours()).scalars())
    picked = _list_places(places, [hour in noted for _, hour, _ in places])
    by_client = places[0][0].client_id is not None
    is_settled, has_reason = ~picked.c.is_noted, picked.c.reason_hash.is_not(None)
    found = union_all(
        _look_up(picked, and_(is_settled, ~has_reason), _by_facts(job_filter, access, picked, by_client, by_reason)),
        _look_up(picked, and_(is_settled, has_reason), _by_reason(job_filter, access, picked, by_client)),
        _look_up(picked, picked.c.is_noted, _by_jobs(job_filter, access, picked, by_client, by_reason)),
    ).subquery("found")
    return list(connection.execute(select(found.c.job_id).order_by(found.c.place)).scalars())


def _list_places(places: Sequence[Place], are_noted: Sequence[bool]) -> CTE:
    """List places as rows, with their order, and whether jobs of the hour are noted as unsettled."""
    kinds = [kind for kind, _, _ in places]
    values: dict[str, tuple[TypeEngine[Any], Sequence[Any]]] = {
        "client_id": (Text(), [kind.client_id for kind in kinds]),
        "code": (SmallInteger(), [kind.code for kind in kinds]),
        "reason_hash": (BigInteger(), [kind.reason_hash for kind in kinds]),
        "hour": (DateTime(timezone=True), [hour for _, hour, _ in places]),
        "number": (BigInteger(), [number for _, _, number in places]),
        "is_noted": (Boolean(), are_noted),
    }
    arrays = (literal(listed, ARRAY(type_)) for type_, listed in values.values())
    columns = (column(name, type_) for name, (type_, _) in values.items())
    picks = func.unnest(*arrays).table_valued(*columns, with_ordinality="place", name="picked").render_derived()
    return select(picks).cte("picked")


def _look_up(picked: CTE, is_meant: ColumnElement[bool], of_kind: Select[Any]) -> Select[Any]:
    """Look up the job at each of some places, among those of its kind and hour, which stand in their order."""
    one = of_kind.offset(picked.c.number - 1).limit(1).correlate(picked).lateral("one")
    return select(picked.c.place, one.c.job_id).select_from(picked.join(one, true())).where(is_meant)


def _by_facts(job_filter: JobFilter, access: JobAccess, picked: CTE, by_client: bool, by_reason: bool) -> Select[Any]:
    """Select the jobs of a kind and hour without a reason, or with any."""
    query = select(job_facts.c.job_id).where(
        *in_range_and_wall(job_filter, access),
        job_facts.c.code == picked.c.code,
        job_facts.c.created_at >= picked.c.hour,
        job_facts.c.created_at < picked.c.hour + HOUR,
        *([job_facts.c.client_id == picked.c.client_id] if by_client else []),
    )
    if by_reason:
        query = query.join(jobs, _IS_FACT).where(~_HAS_REASON)
    return query.order_by(job_facts.c.created_at, job_facts.c.job_id)


def _by_reason(job_filter: JobFilter, access: JobAccess, picked: CTE, by_client: bool) -> Select[Any]:
    """Select the jobs of a kind and hour with its reason."""
    query = select(jobs.c.job_id).join(job_facts, _IS_FACT).where(job_facts.c.code == picked.c.code)
    reason = (hash_text(jobs.c.reason) == picked.c.reason_hash, jobs.c.reason.is_not(None))
    return query.where(*reason, *_in_hour(job_filter, access, picked, by_client)).order_by(*JOB_KEY)


def _by_jobs(job_filter: JobFilter, access: JobAccess, picked: CTE, by_client: bool, by_reason: bool) -> Select[Any]:
    """Select the jobs of a kind and hour, by what they and their logs say."""
    query = select(jobs.c.job_id).select_from(jobs.outerjoin(latest_log, true())).where(picked.c.code == CODE_OF_JOB)
    if by_reason:
        reason_hash = case((_HAS_REASON, hash_text(jobs.c.reason)))
        query = query.where(reason_hash.is_not_distinct_from(picked.c.reason_hash))
    return query.where(*_in_hour(job_filter, access, picked, by_client)).order_by(*JOB_KEY)


# An empty reason is none. Written so that the index of reasons, which knows no hours, does not seem to serve it.
_HAS_REASON = func.coalesce(jobs.c.reason, literal_column("''")) != literal_column("''")
_IS_FACT = and_(jobs.c.created_at == job_facts.c.created_at, jobs.c.job_id == job_facts.c.job_id)


def _in_hour(job_filter: JobFilter, access: JobAccess, picked: CTE, by_client: bool) -> list[ColumnElement[bool]]:
    return [
        *conditions_of(without_reason(without_facts(job_filter)), access),
        jobs.c.created_at >= picked.c.hour,
        jobs.c.created_at < picked.c.hour + HOUR,
        *([jobs.c.client_id == picked.c.client_id] if by_client else []),
    ]
