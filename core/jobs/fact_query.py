"""Queries over job facts: the keys of jobs in their order, and how many there are.

They may be asked where `see_facts` says so. What is noted as unsettled is asked of the jobs themselves, in the same
statement, so that the answer is right at any moment; where nothing is, which is the rule, the statement is a short one.

A code is decision and latest log of a job as one small number. `job_facts_code` in core/facts/code.py is the same in
SQL; a test holds the two together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import chain, product
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    DateTime,
    FromClause,
    Select,
    SmallInteger,
    TableValuedAlias,
    Text,
    cast,
    func,
    literal,
    literal_column,
    null,
    select,
    text,
    true,
    union,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY

from core.db.schema import jobs
from core.facts.tables import job_counts, job_facts, job_facts_unsettled
from core.jobs.access import JobAccess
from core.jobs.filter import Category, Cell, Decision, JobFilter
from core.jobs.query import (
    JOB_KEY,
    Slice,
    asks_for_log,
    conditions_of,
    in_part,
    latest_log,
    narrow_to,
    part_conditions,
    without_facts,
)
from core.jobs.wall import of_clients

HOUR = timedelta(hours=1)

_FACT_KEY = (job_facts.c.created_at, job_facts.c.job_id)
_INSTANTS = ARRAY(DateTime(timezone=True))


# In the order of their digits: a decision counts 28, a log 1 and then each of its cells 9, 3 and 1.
_DECISIONS = (None, False, True)
_CELLS = (None, False, True)
_NO_LOG = dict.fromkeys(Category, None)

_DECISION_VALUES = {Decision.REJECT: True, Decision.PASS: False, Decision.UNDECIDED: None}
_CELL_VALUES = {Cell.TRUE: True, Cell.FALSE: False, Cell.EMPTY: None}

# Facts are used where they are complete and of these very tables, and where not so many jobs are noted as unsettled
# that asking these themselves takes longer than it saves.
MOST_UNSETTLED = 2_000
_SEE = text("""
    SELECT noted.total < :most AND EXISTS (
            SELECT FROM job_facts_state WHERE is_complete AND relations = job_facts_relations()
        ) AS are_usable,
        noted.total = 0 AND current_setting('transaction_isolation') = 'repeatable read' AS are_settled
    FROM (SELECT count(*) AS total FROM (SELECT FROM job_facts_unsettled LIMIT :most) AS first) AS noted
""")


@dataclass(frozen=True, slots=True)
class Fact:
    """What is told apart of a job: its decision, whether it has a log, and the cells of the latest one."""

    is_prohibited: bool | None
    evaluated: bool
    cells: Mapping[Category, bool | None]


def _list_facts(decision: bool | None) -> list[Fact]:
    logs = (dict(zip(Category, cells, strict=True)) for cells in product(_CELLS, repeat=len(Category)))
    return [Fact(decision, False, _NO_LOG), *(Fact(decision, True, cells) for cells in logs)]


# Each fact at the place of its code.
FACTS = tuple(chain.from_iterable(map(_list_facts, _DECISIONS)))


CODE_OF_JOB = func.job_facts_code(
    jobs.c.is_prohibited, latest_log.c.evaluated, *(latest_log.c[category.column] for category in Category)
)


def list_codes(job_filter: JobFilter) -> list[int]:
    """List the codes of the jobs that a filter means by decision and latest log: all where it asks for neither."""
    return [code for code, fact in enumerate(FACTS) if _is_meant(fact, job_filter)]


def see_facts(connection: Connection, access: JobAccess) -> JobAccess:
    """Say whether questions to our own jobs can go to their facts now, and to these alone.

    That nothing is unsettled holds for the statements after this one only where all of them read one snapshot.
    """
    if not access.has_facts:
        return access
    seen = connection.execute(_SEE, {"most": MOST_UNSETTLED}).one()
    return replace(access, has_facts=seen.are_usable, are_settled=seen.are_settled)


def _is_meant(fact: Fact, job_filter: JobFilter) -> bool:
    if job_filter.decision and fact.is_prohibited not in {_DECISION_VALUES[each] for each in job_filter.decision}:
        return False
    if job_filter.category and not any(fact.cells[category] for category in job_filter.category):
        return False
    if job_filter.no_category and not (fact.evaluated and not any(fact.cells.values())):
        return False
    if any(fact.cells[category] is not _CELL_VALUES[cell] for category, cell in job_filter.cells.items()):
        return False
    if job_filter.flagged is not None and any(fact.cells.values()) is not job_filter.flagged:
        return False
    return job_filter.evaluated is None or fact.evaluated is job_filter.evaluated


def asks_for_facts(job_filter: JobFilter) -> bool:
    """Tell whether a filter asks for anything of decision or latest log."""
    return len(list_codes(job_filter)) < len(FACTS)


def asks_only_for_facts(job_filter: JobFilter) -> bool:
    """Tell whether a filter asks for nothing else, but for range and client."""
    return replace(job_filter, spreadsheet_safe=False) == JobFilter(
        range=job_filter.range,
        client_id=job_filter.client_id,
        decision=job_filter.decision,
        category=job_filter.category,
        no_category=job_filter.no_category,
        cells=job_filter.cells,
        evaluated=job_filter.evaluated,
        flagged=job_filter.flagged,
    )


def key_query(
    job_filter: JobFilter, access: JobAccess, part: Slice, *, is_newest_first: bool, limit: int | None
) -> Select[Any]:
    """Build the query of the first keys of a part, by what facts tell apart: range, client, decision and latest log.

    Of each code, and of each of several clients, only the first keys are read, so that its cost depends on these, never
    on how many jobs there are.
    """
    narrowed = narrow_to(job_filter, part)
    wanted = func.unnest(_codes(job_filter)).table_valued("code", name="wanted").render_derived()
    several = _unnest_clients(job_filter, access)
    of_code = in_part(select(*_FACT_KEY).where(*in_range_and_wall(narrowed, access)), part, _FACT_KEY)
    of_code = of_code.where(job_facts.c.code == wanted.c.code, *_is_settled(access))
    one: FromClause = wanted
    if several is not None:
        of_code = of_code.where(job_facts.c.client_id == several.c.client_id).correlate(several)
        one = wanted.join(several, true())
    first = of_code.order_by(*_in_order(_FACT_KEY, is_newest_first)).limit(limit).correlate(wanted).lateral("first")
    keys = select(first.c.created_at, first.c.job_id).select_from(one.join(first, true()))
    found: FromClause = first
    if not access.are_settled:
        unsettled = _select_unsettled(JOB_KEY, [*conditions_of(narrowed, access), *part_conditions(part)])
        found = union_all(keys, unsettled).subquery("found")
        keys = select(found)
    return keys.order_by(*_in_order((found.c.created_at, found.c.job_id), is_newest_first)).limit(limit)


def _unnest_clients(job_filter: JobFilter, access: JobAccess) -> TableValuedAlias | None:
    """List the clients of a wall of several, to look at each by itself: PostgreSQL would read the jobs of all others.

    None where there is one or are all, and where not one server answers.
    """
    clients = access.wall.narrow(job_filter.client_id)
    if clients is None or len(clients) < 2 or not access.topology.is_one_server:
        return None
    return func.unnest(literal(clients, ARRAY(Text))).table_valued("client_id", name="several").render_derived()


def _keys_by_client(
    narrowed: JobFilter, access: JobAccess, part: Slice, several: TableValuedAlias, *, is_newest_first: bool, limit: int
) -> Select[Any]:
    """Build the query of the first keys of a part, of jobs of several clients."""
    of_client = in_part(select(*JOB_KEY).where(*conditions_of(narrowed, access)), part)
    of_client = of_client.where(jobs.c.client_id == several.c.client_id)
    first = of_client.order_by(*_in_order(JOB_KEY, is_newest_first)).limit(limit).correlate(several).lateral("first")
    keys = select(first.c.created_at, first.c.job_id).select_from(several.join(first, true()))
    return keys.order_by(*_in_order((first.c.created_at, first.c.job_id), is_newest_first)).limit(limit)


def _is_settled(access: JobAccess) -> list[ColumnElement[bool]]:
    if access.are_settled:
        return []
    return [~select(literal(1)).where(job_facts_unsettled.c.job_id == job_facts.c.job_id).exists()]


def select_matching(
    columns: Sequence[ColumnElement[Any]],
    job_filter: JobFilter,
    access: JobAccess,
    part: Slice,
    *,
    is_newest_first: bool,
    limit: int | None,
    by_facts: bool,
) -> Select[Any]:
    """Build the query of the matching jobs of a part, in their order, by facts or by the jobs alone.

    The latest log is joined where the columns take anything of it, or the filter asks for it.
    """
    reads_log = any(getattr(column, "table", None) is latest_log for column in columns)
    narrowed = narrow_to(job_filter, part)
    tables: FromClause = jobs
    if by_facts:
        only = asks_only_for_facts(job_filter)
        found = key_query(job_filter, access, part, is_newest_first=is_newest_first, limit=limit if only else None)
        keys = found.subquery("keys")
        tables = keys.join(jobs, (jobs.c.created_at == keys.c.created_at) & (jobs.c.job_id == keys.c.job_id))
        # The range is told again, so that only its months are asked where jobs are in months.
        conditions = _range_of(narrowed) if only else conditions_of(without_facts(narrowed), access)
    elif (
        limit is not None
        and (several := _unnest_clients(job_filter, access)) is not None
        and not asks_for_facts(job_filter)
        and asks_only_for_facts(job_filter)
    ):
        found = _keys_by_client(narrowed, access, part, several, is_newest_first=is_newest_first, limit=limit)
        keys = found.subquery("keys")
        tables = keys.join(jobs, (jobs.c.created_at == keys.c.created_at) & (jobs.c.job_id == keys.c.job_id))
        conditions = _range_of(narrowed)
    else:
        conditions = conditions_of(narrowed, access)
        reads_log = reads_log or asks_for_log(job_filter)
    query = select(*columns).select_from(tables.outerjoin(latest_log, true()) if reads_log else tables)
    return in_part(query.where(*conditions), part).order_by(*_in_order(JOB_KEY, is_newest_first)).limit(limit)


def _range_of(job_filter: JobFilter) -> list[ColumnElement[bool]]:
    return [jobs.c.created_at >= job_filter.range.start, jobs.c.created_at < job_filter.range.end]


def bounded_count_query(job_filter: JobFilter, access: JobAccess, limit: int) -> Select[Any]:
    """Build the query that counts the jobs that a filter of facts means, no further than to a limit."""
    found = select(literal(1)).where(*in_range_and_wall(job_filter, access), _has_code(job_filter))
    if access.are_settled:
        return select(func.count()).select_from(found.limit(limit).subquery("found"))
    corrections = _corrections(job_filter, access).subquery("corrections")
    # What is corrected may count for less than it does among the facts.
    found = found.limit(select(literal(limit) + func.count()).select_from(corrections).scalar_subquery())
    total = select(func.count()).select_from(found.subquery("found")).scalar_subquery()
    difference = select(func.coalesce(func.sum(corrections.c.total), 0)).scalar_subquery()
    return select(func.least(total + difference, limit))


def total_query(
    job_filter: JobFilter, access: JobAccess, breaks: Sequence[datetime], *, by_client: bool = False
) -> Select[Any]:
    """Build the query of how many jobs of a filter of facts there are: rows of an instant, a code and a number.

    `by_client`: and of a client, which is null otherwise.
    The numbers of rows between two of the `breaks` are to be added up. Hours that neither a bound of the range nor one
    of the breaks splits come from what is counted, and parts of hours from the facts.
    """
    start, end = job_filter.range.start, job_filter.range.end
    split = sorted({hour_of(instant) for instant in (start, end, *breaks) if instant != hour_of(instant)})
    counts = job_counts.c
    every = counts.client_id.is_not(None) if by_client else counts.client_id.is_(None)
    client = of_clients(counts.client_id, access.wall, job_filter.client_id) or [every]
    whole = select(
        counts.hour.label("at"), counts.code, counts.total, client_or_null(counts.client_id, by_client)
    ).where(
        counts.hour >= start,
        counts.hour < end,
        counts.hour != func.all(literal(split, _INSTANTS)),
        counts.code == func.any(_codes(job_filter)),
        *client,
    )
    hours = func.unnest(literal(split, _INSTANTS)).table_valued("hour", name="split").render_derived()
    one = literal(1).label("total")
    of_hour = select(
        job_facts.c.created_at.label("at"), job_facts.c.code, one, client_or_null(job_facts.c.client_id, by_client)
    ).where(
        job_facts.c.created_at >= hours.c.hour,
        job_facts.c.created_at < hours.c.hour + HOUR,
        *in_range_and_wall(job_filter, access),
        _has_code(job_filter),
    )
    # OFFSET keeps PostgreSQL from reading the whole range first and choosing among the hours afterwards.
    part = of_hour.correlate(hours).offset(0).lateral("part")
    parts = select(*part.c).select_from(hours.join(part, true()))
    corrections = [] if access.are_settled else [_corrections(job_filter, access, by_client=by_client)]
    return select(union_all(whole, *([parts] if split else []), *corrections).subquery("totals"))


def _corrections(job_filter: JobFilter, access: JobAccess, *, by_client: bool = False) -> Select[Any]:
    """Take away what facts say of jobs that are noted as unsettled, and add what the jobs say."""
    noted = select(job_facts_unsettled.c.job_id, job_facts_unsettled.c.created_at)
    of_jobs = _select_unsettled((jobs.c.job_id, jobs.c.created_at), _range_of(job_filter))
    keys = union(noted, of_jobs).subquery("keys")
    taken = (
        select(
            job_facts.c.created_at.label("at"),
            job_facts.c.code,
            literal(-1).label("total"),
            client_or_null(job_facts.c.client_id, by_client),
        )
        .select_from(keys)
        .join(job_facts, (job_facts.c.created_at == keys.c.created_at) & (job_facts.c.job_id == keys.c.job_id))
        .where(*in_range_and_wall(job_filter, access), _has_code(job_filter))
    )
    one = literal(1).label("total")
    columns = (jobs.c.created_at, CODE_OF_JOB, one, client_or_null(jobs.c.client_id, by_client))
    given = _select_unsettled(columns, conditions_of(job_filter, access))
    return select(union_all(taken, given).subquery("corrections"))


def _select_unsettled(columns: Sequence[ColumnElement[Any]], conditions: Sequence[ColumnElement[bool]]) -> Select[Any]:
    """Select columns of the jobs that are noted as unsettled and meet some conditions, themselves and their logs.

    OFFSET keeps PostgreSQL from reading all jobs to compare them with what is mostly nothing.
    """
    noted = select(job_facts_unsettled.c.job_id).distinct().subquery("noted")
    each = select(*columns).select_from(jobs.outerjoin(latest_log, true()))
    each = each.where(jobs.c.job_id == noted.c.job_id, *conditions).offset(0)
    found = each.correlate(noted).lateral("unsettled")
    return select(*found.c).select_from(noted.join(found, true()))


def noted_hours() -> CompoundSelect[Any]:
    """Build the query of the hours that jobs which are noted as unsettled lie in: by their notes, and by themselves."""
    noted = select(bin_hour(job_facts_unsettled.c.created_at)).where(job_facts_unsettled.c.created_at.is_not(None))
    of_noted = select(bin_hour(jobs.c.created_at)).join_from(
        job_facts_unsettled, jobs, jobs.c.job_id == job_facts_unsettled.c.job_id
    )
    return noted.union(of_noted)


def bin_hour(instant: ColumnElement[Any]) -> ColumnElement[Any]:
    """The hour that an instant lies in, written out, so that parts of a statement that group by it are the same."""
    return func.date_bin(literal_column("interval '1 hour'"), instant, literal_column("timestamptz '2000-01-01Z'"))


def client_or_null(column: ColumnElement[Any], by_client: bool) -> ColumnElement[Any]:
    """The client of a row, where it is to be told, else null."""
    return (column if by_client else cast(null(), Text)).label("client_id")


def _codes(job_filter: JobFilter) -> ColumnElement[Any]:
    return literal(list_codes(job_filter), ARRAY(SmallInteger))


def _has_code(job_filter: JobFilter) -> ColumnElement[bool]:
    return job_facts.c.code == func.any(_codes(job_filter))


def in_range_and_wall(job_filter: JobFilter, access: JobAccess) -> list[ColumnElement[bool]]:
    """List the conditions of a fact that its job lies in a filter's range, is of its client and may be seen."""
    return [
        job_facts.c.created_at >= job_filter.range.start,
        job_facts.c.created_at < job_filter.range.end,
        *of_clients(job_facts.c.client_id, access.wall, job_filter.client_id),
    ]


def _in_order(key: tuple[ColumnElement[Any], ...], is_newest_first: bool) -> list[ColumnElement[Any]]:
    return [each.desc() if is_newest_first else each.asc() for each in key]


def hour_of(instant: datetime) -> datetime:
    """Return the beginning of the hour of UTC that an instant lies in."""
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
