"""Jobs by the places at which facts have them: how many each kind has in each hour, and which job stands where."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Connection,
    DateTime,
    Select,
    SmallInteger,
    Subquery,
    Text,
    and_,
    cast,
    column,
    func,
    literal,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY

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


@dataclass(frozen=True, slots=True)
class Place:
    """A job of a kind by its number, from 1 on in the order of (created_at, job_id), among those of an hour."""

    kind: Kind
    hour: datetime
    number: int


def are_told_by_facts(
    connection: Connection, job_filter: JobFilter, access: JobAccess, by: Sequence[Stratification]
) -> bool:
    """Tell whether facts tell which jobs a filter means, and of which strata they are, and can be used now."""
    facts_tell = Stratification.REASON not in by and asks_only_for_facts(job_filter)
    return facts_tell and see_facts(connection, access).has_facts


def count_kinds(
    connection: Connection, job_filter: JobFilter, access: JobAccess, *, by_client: bool
) -> dict[Kind, int]:
    """Count the jobs of each kind that a filter of facts means."""
    found = total_query(job_filter, access, (), by_client=by_client).subquery("found")
    query = select(found.c.client_id, found.c.code, func.sum(found.c.total)).group_by(found.c.client_id, found.c.code)
    return {Kind(client, code): int(number) for client, code, number in connection.execute(query) if number}


def count_by_hour(
    connection: Connection, job_filter: JobFilter, access: JobAccess, kinds: Collection[Kind]
) -> dict[Kind, tuple[list[int], list[int]]]:
    """Return in which hours, in seconds since 1970, there are jobs of some kinds, the earliest first, and how many.

    All kinds are of clients, or none is.
    """
    by_client = any(kind.client_id is not None for kind in kinds)
    found = total_query(job_filter, access, (), by_client=by_client).subquery("found")
    seconds = cast(func.extract("epoch", _hour_of(found.c.at)), BigInteger)
    # As arrays, and neither sorted nor added up by PostgreSQL: there may be a hundred thousand hours.
    arrays = func.array_agg(seconds), func.array_agg(found.c.total)
    query = (
        select(found.c.client_id, found.c.code, *arrays)
        .where(found.c.code == func.any(literal(sorted({kind.code for kind in kinds}), ARRAY(SmallInteger))))
        .group_by(found.c.client_id, found.c.code)
    )
    counted: dict[Kind, tuple[list[int], list[int]]] = {}
    for client, code, hours, numbers in connection.execute(query):
        if (kind := Kind(client, code)) in kinds:
            totals: Counter[int] = Counter()
            for hour, number in zip(hours, numbers, strict=True):
                totals[hour] += number
            present = sorted(hour for hour, number in totals.items() if number)
            counted[kind] = present, [totals[hour] for hour in present]
    return counted


def read_places(
    connection: Connection, job_filter: JobFilter, access: JobAccess, places: Sequence[Place]
) -> list[UUID]:
    """Read the ids of the jobs at some places, in their order; in the snapshot in which these were counted.

    Of each hour only the jobs up to its last place are read, unless jobs are noted as unsettled: then all are.
    """
    picked = _select_picked(places).cte("picked")
    by_client = places[0].kind.client_id is not None
    is_settled = connection.execute(select(~select(job_facts_unsettled.c.note_id).exists())).scalar_one()
    number = _number_hours if is_settled else _number_all
    found = number(job_filter, access, picked, by_client)
    names = ("code", "hour", "number", *(("client_id",) if by_client else ()))
    is_picked = and_(*(found.c[name] == picked.c[name] for name in names))
    query = select(found.c.job_id).select_from(picked.join(found, is_picked)).order_by(picked.c.place)
    return list(connection.execute(query).scalars())


def _select_picked(places: Sequence[Place]) -> Select[Any]:
    arrays = (
        literal([place.kind.client_id for place in places], ARRAY(Text)),
        literal([place.kind.code for place in places], ARRAY(SmallInteger)),
        literal([place.hour for place in places], ARRAY(DateTime(timezone=True))),
        literal([place.number for place in places], ARRAY(BigInteger)),
    )
    columns = (
        column("client_id", Text),
        column("code", SmallInteger),
        column("hour", DateTime(timezone=True)),
        column("number", BigInteger),
    )
    return select(func.unnest(*arrays).table_valued(*columns, with_ordinality="place", name="pick").render_derived())


def _number_hours(job_filter: JobFilter, access: JobAccess, picked: CTE, by_client: bool) -> Subquery:
    """Number the jobs of each kind and hour of which any is picked, up to the last one."""
    cell_of = (picked.c.client_id, picked.c.code, picked.c.hour)
    cell = select(*cell_of, func.max(picked.c.number).label("most")).group_by(*cell_of).subquery("cell")
    key = (job_facts.c.created_at, job_facts.c.job_id)
    of_cell = (
        select(job_facts.c.job_id, func.row_number().over(order_by=key).label("number"))
        .where(
            *in_range_and_wall(job_filter, access),
            job_facts.c.code == cell.c.code,
            job_facts.c.created_at >= cell.c.hour,
            job_facts.c.created_at < cell.c.hour + HOUR,
            *([job_facts.c.client_id == cell.c.client_id] if by_client else []),
        )
        .order_by(*key)
        .limit(cell.c.most)
    )
    numbered = of_cell.correlate(cell).lateral("numbered")
    return select(cell, *numbered.c).select_from(cell.join(numbered, true())).subquery("found")


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
