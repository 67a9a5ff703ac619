"""Exports by facts.

Where facts are complete in the export's snapshot and no job is unsettled, the categories come from the codes of facts,
whose index has the order of exports: two scans are merged, and no log is looked up.
"""

from collections.abc import Sequence
from typing import Any

import psycopg
from sqlalchemy import Column, ColumnElement, FromClause, Select, Text, func, literal_column, select

from core.csv.format import instant
from core.db.schema import jobs
from core.facts.tables import job_facts
from core.jobs.access import JobAccess
from core.jobs.fact_query import FACTS, Fact, list_codes
from core.jobs.filter import Category, JobFilter
from core.jobs.query import asks_for_log, conditions_of, without_facts
from core.jobs.wall import of_clients

_ARE_USABLE = """
    SELECT EXISTS (SELECT FROM job_facts_state WHERE is_complete AND relations = job_facts_relations())
        AND NOT EXISTS (SELECT FROM job_facts_unsettled)
"""

# The code that most jobs have.
_COMMON = FACTS.index(Fact(False, True, dict.fromkeys(Category, False)))


async def are_usable_in(connection: psycopg.AsyncConnection) -> bool:
    """Tell whether an export can go by facts, in the snapshot of its transaction."""
    row = await (await connection.execute(_ARE_USABLE)).fetchone()
    return row is not None and bool(row[0])


def category_columns() -> list[ColumnElement[Any]]:
    """Write the cells of the latest log as text, of `facts.code`: its digits to the base of three."""
    of_log = "mod(facts.code, 28)"
    digits = (f"({of_log} + 8) / 9 - 1", f"mod(({of_log} + 2) / 3 - 1, 3)", f"mod({of_log} - 1, 3)")
    return [literal_column(f"CASE {digit} WHEN 2 THEN 'true' WHEN 1 THEN 'false' END", Text) for digit in digits]


def time_columns(job_filter: JobFilter, access: JobAccess) -> dict[str, ColumnElement[Any]]:
    """Take times as text from the facts that hold them; where few are read, an index of theirs is, and no fact."""
    if not access.writes_times or are_few(job_filter, access):
        return {}
    # A null was not written yet, or there is no time.
    return {
        name: func.coalesce(literal_column(f"facts.{written}", Text), instant(jobs.c[name]))
        for name, written in (("created_at", "created_text"), ("completed_at", "completed_text"))
    }


def are_few(job_filter: JobFilter, access: JobAccess) -> bool:
    """Tell whether a filter asks for what most jobs have not, or for one client: an index finds their facts, unordered.

    The facts of the others, which lie between them in the order of exports, are then not read.
    """
    return _COMMON not in list_codes(job_filter) or _one_client(job_filter, access)


def select_by_facts(columns: list[ColumnElement[Any]], job_filter: JobFilter, access: JobAccess) -> Select[Any]:
    """Select columns of jobs and facts, in the order of exports.

    What logs say is found by its codes. Jobs that were rejected, or not decided, an index of the jobs finds.
    """
    codes = list_codes(job_filter)
    by_codes = asks_for_log(job_filter) or _COMMON in codes
    conditions = conditions_of(without_facts(job_filter) if by_codes else job_filter, access)
    # Of few facts those of a client are an index of their own; many are read in their order.
    is_few = are_few(job_filter, access)
    wall = of_clients(job_facts.c.client_id, access.wall, job_filter.client_id) if is_few else []
    texts = [] if is_few or not access.writes_times else [job_facts.c.created_text, job_facts.c.completed_text]
    facts = _facts_of(job_filter, codes if is_few or by_codes else FACTS, wall, texts)
    key = (facts.c.created_at, facts.c.job_id)
    is_same = (jobs.c.created_at == key[0]) & (jobs.c.job_id == key[1])
    return select(*columns).select_from(facts.join(jobs, is_same)).where(*conditions).order_by(*key)


def _one_client(job_filter: JobFilter, access: JobAccess) -> bool:
    clients = access.wall.narrow(job_filter.client_id)
    return clients is not None and len(clients) == 1


def _facts_of(
    job_filter: JobFilter, codes: Sequence[object], wall: list[ColumnElement[bool]], texts: list[Column[Any]]
) -> FromClause:
    facts = select(job_facts.c.created_at, job_facts.c.job_id, job_facts.c.code, *texts).where(
        job_facts.c.created_at >= job_filter.range.start, job_facts.c.created_at < job_filter.range.end, *wall
    )
    return (facts if len(codes) == len(FACTS) and not wall else facts.where(job_facts.c.code.in_(codes))).subquery(
        "facts"
    )
