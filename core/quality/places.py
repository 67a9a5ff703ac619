"""Jobs by the places at which facts have them: how many each kind has in each hour, and which job stands where."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Connection,
    SmallInteger,
    Subquery,
    Text,
    and_,
    cast,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.sql.selectable import LateralFromClause

from core.facts.tables import job_facts, job_facts_unsettled
from core.jobs.access import JobAccess
from core.jobs.fact_query import (
    FACTS,
    HOUR,
    asks_only_for_facts,
    in_range_and_wall,
    row_query,
    see_facts,
    total_query,
)
from core.jobs.filter import Category, JobFilter
from core.jobs.reasons import Hours, Place, list_places
from core.jobs.strata import Stratification


@dataclass(frozen=True, slots=True)
class Kind:
    """Jobs whose facts are alike: of one client (None: of all), with one code."""

    client_id: str | None
    code: int

    def values(self, by: Sequence[Stratification]) -> tuple[Any, ...]:
        """Return the values of their stratum; no code tells a reason."""
        fact = FACTS[self.code]
        flags = " ".join(category.value for category in Category if fact.cells[category])
        told = {
            Stratification.DECISION: fact.is_prohibited,
            Stratification.CLIENT: self.client_id,
            Stratification.CATEGORY: flags if fact.evaluated else None,
        }
        return tuple(told[kind] for kind in by)


def are_told_by_facts(
    connection: Connection, job_filter: JobFilter, access: JobAccess, by: Sequence[Stratification]
) -> bool:
    """Tell whether facts tell which jobs a filter means, and of which strata they are, and can be used now."""
    facts_tell = Stratification.REASON not in by and asks_only_for_facts(job_filter)
    return facts_tell and see_facts(connection, access).has_facts


def count_by_hour(
    connection: Connection, job_filter: JobFilter, access: JobAccess, *, by_client: bool
) -> dict[Kind, Hours]:
    """Count the jobs of each kind that a filter of facts means in each hour; the kinds stand in their order."""
    found = total_query(job_filter, access, (), by_client=by_client).subquery("found")
    seconds = cast(func.extract("epoch", _hour_of(found.c.at)), BigInteger)
    # As arrays, and neither sorted nor added up by PostgreSQL: there may be a hundred thousand hours.
    arrays = func.array_agg(seconds), func.array_agg(found.c.total)
    query = select(found.c.code, found.c.client_id, *arrays).group_by(found.c.code, found.c.client_id)
    counted: dict[Kind, Hours] = {}
    for code, client, hours, numbers in sorted(
        connection.execute(query), key=lambda row: (row.code, row.client_id or "")
    ):
        totals: Counter[int] = Counter()
        for hour, number in zip(hours, numbers, strict=True):
            totals[hour] += number
        if totals := +totals:
            counted[Kind(client, code)] = dict(sorted(totals.items()))
    return counted


def read_places(
    connection: Connection, job_filter: JobFilter, access: JobAccess, places: Sequence[Place[Kind]]
) -> list[UUID]:
    """Read the ids of the jobs at some places, in their order; in the snapshot in which these were counted.

    Of each hour only the jobs up to a place are read, unless jobs are noted as unsettled: then all are.
    """
    picked = list_places(places, client_id=Text(), code=SmallInteger())
    by_client = places[0][0].client_id is not None
    is_settled = connection.execute(select(~select(job_facts_unsettled.c.note_id).exists())).scalar_one()
    if is_settled:
        one = _find_place(job_filter, access, picked, by_client)
        query = select(one.c.job_id).select_from(picked.join(one, true()))
    else:
        found = _number_all(job_filter, access, picked, by_client)
        names = ("code", "hour", "number", *(("client_id",) if by_client else ()))
        is_picked = and_(*(found.c[name] == picked.c[name] for name in names))
        query = select(found.c.job_id).select_from(picked.join(found, is_picked))
    return list(connection.execute(query.order_by(picked.c.place)).scalars())


def _find_place(job_filter: JobFilter, access: JobAccess, picked: CTE, by_client: bool) -> LateralFromClause:
    """Find the job at each place: a step through the index of facts for each job of the kind before it in its hour."""
    return (
        select(job_facts.c.job_id)
        .where(
            *in_range_and_wall(job_filter, access),
            job_facts.c.code == picked.c.code,
            job_facts.c.created_at >= picked.c.hour,
            job_facts.c.created_at < picked.c.hour + HOUR,
            *([job_facts.c.client_id == picked.c.client_id] if by_client else []),
        )
        .order_by(job_facts.c.created_at, job_facts.c.job_id)
        .offset(picked.c.number - 1)
        .limit(1)
        .correlate(picked)
        .lateral("one")
    )


def _number_all(job_filter: JobFilter, access: JobAccess, picked: CTE, by_client: bool) -> Subquery:
    """Number all jobs that a filter means within their kind and hour, those that are unsettled by themselves."""
    rows = row_query(job_filter, access).subquery("facts")
    hour = _hour_of(rows.c.created_at)
    kind = (rows.c.code, *((rows.c.client_id,) if by_client else ()))
    number = func.row_number().over(partition_by=(*kind, hour), order_by=(rows.c.created_at, rows.c.job_id))
    return select(rows, hour.label("hour"), number.label("number")).subquery("found")


def _hour_of(instant: ColumnElement[Any]) -> ColumnElement[Any]:
    # Written out, so that parts of a statement that group by it are the same.
    return func.date_bin(literal_column("interval '1 hour'"), instant, literal_column("timestamptz '2000-01-01Z'"))
