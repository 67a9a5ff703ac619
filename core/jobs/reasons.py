"""The reasons of the jobs of a filter: how often each was given, and how often in the time before."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, Connection, Text, and_, case, exists, func, literal, literal_column, select
from sqlalchemy.dialects.postgresql import ARRAY

from core.db.schema import jobs
from core.jobs.access import JobAccess
from core.jobs.filter import LONGEST_SEARCH, DateRange, JobFilter
from core.jobs.query import conditions_of, reason_is, tables_of
from core.jobs.wall import of_clients

# A reason beside fewer different prompts than these may quote one of them; beside as many it is the name of a rule.
PROMPTS_OF_A_RULE = 5

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
    # Jobs with any reason.
    jobs: int


def count_reasons(connection: Connection, job_filter: JobFilter, access: JobAccess) -> Reasons:
    """Count the jobs of each reason. A reason that may quote a prompt never leaves the database."""
    each = (
        select(
            jobs.c.reason,
            func.count().label("total"),
            func.count(func.hashtextextended(jobs.c.prompt, literal_column("0")).distinct()).label("prompts"),
        )
        .select_from(tables_of(job_filter))
        .where(jobs.c.reason.is_not(None), *conditions_of(job_filter, access))
        .group_by(jobs.c.reason)
        .subquery("each")
    )
    # A longer one is not what a filter can ask for.
    is_rule = and_(each.c.prompts >= PROMPTS_OF_A_RULE, func.length(each.c.reason).between(1, LONGEST_SEARCH))
    listed = case((is_rule, each.c.reason))
    # The hidden ones are one row, which comes first.
    query = select(listed, func.sum(each.c.total), func.count(), func.sum(func.sum(each.c.total)).over())
    query = query.group_by(listed).order_by(listed.is_not(None), func.sum(each.c.total).desc(), listed)
    found = list(connection.execute(query.limit(MOST_REASONS + 1)))
    rules = {reason: int(total) for reason, total, _, _ in found if reason is not None}
    hidden = next(((int(number), int(total)) for reason, total, number, _ in found if reason is None), (0, 0))
    before = _count_before(connection, job_filter, access, list(rules))
    unknown = _find_unknown(connection, job_filter, access, [each for each in rules if each not in before])
    counts = [ReasonCount(each, total, before.get(each, 0), each in unknown) for each, total in rules.items()]
    return Reasons(counts, *hidden, jobs=int(found[0][3]) if found else 0)


def _count_before(
    connection: Connection, job_filter: JobFilter, access: JobAccess, reasons: Sequence[str]
) -> dict[str, int]:
    """Count the jobs of some reasons in the time of the same length before."""
    start, end = job_filter.range.start, job_filter.range.end
    try:
        earlier = replace(job_filter, range=DateRange(start - (end - start), start))
    except OverflowError:
        return {}
    query = select(jobs.c.reason, func.count()).select_from(tables_of(job_filter)).group_by(jobs.c.reason)
    query = query.where(_is_any(jobs.c.reason, reasons), *conditions_of(earlier, access))
    return {reason: int(count) for reason, count in connection.execute(query)}


def _find_unknown(connection: Connection, job_filter: JobFilter, access: JobAccess, reasons: Sequence[str]) -> set[str]:
    """Return which of some reasons no job before the range has, as far as that can be told by an index."""
    if not access.jobs_are_ours:
        return set(reasons)
    one = func.unnest(literal(list(reasons), ARRAY(Text))).table_valued("reason").render_derived()
    earlier = exists().where(
        reason_is(one.c.reason, access),
        jobs.c.created_at < job_filter.range.start,
        *of_clients(jobs.c.client_id, access.wall, job_filter.client_id),
    )
    return set(connection.execute(select(one.c.reason).where(~earlier)).scalars())


def _is_any(column: ColumnElement[str], reasons: Sequence[str]) -> ColumnElement[bool]:
    return column == func.any(literal(list(reasons), ARRAY(Text)))
