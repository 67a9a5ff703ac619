"""How many jobs of each kind each hour has, as that is counted beside the jobs: what draws go by."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Connection, Select, cast, func, null, select, union_all

from core.errors import NotPossible
from core.jobs.access import JobAccess
from core.jobs.fact_query import asks_only_for_facts, bin_hour, see_facts, total_query
from core.jobs.filter import JobFilter
from core.jobs.reason_hours import select_reasons
from core.jobs.reasons import find_beginnings, have_counts
from core.jobs.strata import Kind, Stratification

# How many jobs each hour has that has any, by the seconds since 1970 at which it begins, the earliest first.
Hours = dict[int, int]

# Strata beyond these make samples that nobody can judge: a stratum for each reason of a service without rules, say.
MOST_STRATA = 200

# Reasons beyond these are not counted one by one: some begin alike and are one stratum, hardly ever so many.
_MOST_REASONS = 1_000


def asks_about_reasons(job_filter: JobFilter, by: Sequence[Stratification]) -> bool:
    """Tell whether reasons say which jobs are meant, or of which strata they are."""
    return Stratification.REASON in by or job_filter.reason is not None


def are_counted_by_hour(
    connection: Connection, job_filter: JobFilter, access: JobAccess, by: Sequence[Stratification]
) -> bool:
    """Tell whether counts tell how many jobs a filter means, and of which strata they are, and can be used now."""
    if asks_about_reasons(job_filter, by):
        return have_counts(connection, job_filter, access)
    return asks_only_for_facts(job_filter) and see_facts(connection, access).has_facts


def count_by_hour(
    connection: Connection, job_filter: JobFilter, access: JobAccess, by: Sequence[Stratification]
) -> dict[Kind, Hours] | None:
    """Count the jobs of each kind that a filter means in each hour; the kinds stand in an order.

    None where there are so many reasons that only the jobs themselves tell. Raises `NotPossible` where these make too
    many strata by themselves.
    """
    by_client = Stratification.CLIENT in by or access.wall.narrow(job_filter.client_id) is not None
    rows = total_query(job_filter, access, (), by_client=by_client)
    reasons: dict[int, str] = {}
    by_reason = asks_about_reasons(job_filter, by)
    if by_reason:
        each = select_reasons(job_filter, access).subquery("each")
        hashes = connection.execute(select(each.c.reason_hash).distinct().limit(_MOST_REASONS + 1)).scalars().all()
        reasons = find_beginnings(connection, hashes)
        if len(hashes) > _MOST_REASONS:
            if len(set(reasons.values())) > MOST_STRATA:
                raise NotPossible(
                    f"These jobs are of more than {MOST_STRATA} kinds (strata), which are the most: tell fewer apart."
                )
            return None
        rows = _with_reasons(job_filter, access, rows, by_client=by_client)
    found = rows.subquery("found")
    seconds = cast(func.extract("epoch", bin_hour(found.c.at)), BigInteger)
    # As arrays, and neither sorted nor added up by PostgreSQL: there may be a hundred thousand hours.
    arrays = func.array_agg(seconds), func.array_agg(found.c.total)
    reason_hash = found.c.reason_hash if by_reason else cast(null(), BigInteger)
    columns = found.c.client_id, found.c.code, reason_hash.label("reason_hash")
    counted: dict[Kind, Hours] = {}
    for client_id, code, reason, hours, numbers in connection.execute(select(*columns, *arrays).group_by(*columns)):
        totals: Counter[int] = Counter()
        for hour, number in zip(hours, numbers, strict=True):
            totals[hour] += number
        if totals := +totals:
            counted[Kind(client_id, code, reason, reasons.get(reason))] = dict(sorted(totals.items()))
    return {kind: counted[kind] for kind in sorted(counted, key=_order)}


def _order(kind: Kind) -> tuple[Any, ...]:
    return kind.code, kind.client_id or "", kind.reason_hash is not None, kind.reason_hash or 0


def _with_reasons(job_filter: JobFilter, access: JobAccess, totals: Select[Any], *, by_client: bool) -> Select[Any]:
    """Tell totals apart by reasons: those without one are what is left of all."""
    counted = select_reasons(job_filter, access, by_code=True, by_client=by_client).cte("with_reason")
    told = (counted.c.at, counted.c.code, counted.c.client_id)
    parts = [select(*told, counted.c.reason_hash, counted.c.total)]
    if job_filter.reason is None:
        every, none = totals.subquery("every"), cast(null(), BigInteger).label("reason_hash")
        parts += [
            select(every.c.at, every.c.code, every.c.client_id, none, every.c.total),
            select(*told, none, -counted.c.total),
        ]
    return select(union_all(*parts).subquery("told"))
