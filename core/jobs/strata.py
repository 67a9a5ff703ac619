"""Jobs by strata: how many there are of each kind, and some of each, drawn by chance."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Connection, Row, and_, case, func, literal, literal_column, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from core.db.schema import jobs
from core.jobs.access import JobAccess
from core.jobs.filter import Category, JobFilter
from core.jobs.pages import JOB_COLUMNS
from core.jobs.query import latest_log, select_jobs
from core.jobs.wall import Wall, of_clients

# Hashes of ids are spread evenly over 64 bits, whatever the ids are.
_LEAST_HASH, _GREATEST_HASH = -(2**63), 2**63 - 1

# Characters of a reason that tell strata apart: a reason may quote a prompt of megabytes.
_LONGEST_REASON = 200


class Stratification(StrEnum):
    """What tells strata apart."""

    DECISION = "decision"
    CATEGORY = "category"
    REASON = "reason"
    CLIENT = "client"


def count_strata(
    connection: Connection, job_filter: JobFilter, access: JobAccess, by: Sequence[Stratification]
) -> dict[tuple[Any, ...], int]:
    """Count the matching jobs of each stratum; a stratum is its values in the order of `by`."""
    values = [_value(kind).label(kind.value) for kind in by]
    query = select_jobs(job_filter, access, [*values, func.count().label("jobs")]).group_by(*values)
    return {tuple(row[:-1]): int(row.jobs) for row in connection.execute(query)}


def draw_jobs(
    connection: Connection,
    job_filter: JobFilter,
    access: JobAccess,
    by: Sequence[Stratification],
    *,
    shares: Mapping[tuple[Any, ...], float],
    seed: int,
) -> list[tuple[tuple[Any, ...], int, list[UUID]]]:
    """Draw about a share of the matching jobs of each stratum; return with each how many it has, from one snapshot.

    Drawn are the jobs whose ids have the least hashes for the seed, in the order of these, so that the first so many of
    a stratum are drawn by chance too, and the same seed draws the same jobs.
    """
    values = [_value(kind).label(kind.value) for kind in by]
    # PostgreSQL's own hash of a uuid: 64 bits, another one for each seed, and signed.
    hashed: ColumnElement[int] = func.uuid_hash_extended(jobs.c.job_id, literal(seed, BigInteger))
    limit = case(
        *((_is_stratum(values, stratum), literal(_hash_below(share), BigInteger)) for stratum, share in shares.items()),
        else_=literal(_LEAST_HASH, BigInteger),
    )
    drawn = func.array_agg(aggregate_order_by(jobs.c.job_id, hashed, jobs.c.job_id)).filter(hashed <= limit)
    query = select_jobs(job_filter, access, [*values, func.count().label("jobs"), drawn.label("drawn")])
    return [
        (tuple(row[: len(by)]), int(row.jobs), list(row.drawn or ()))
        for row in connection.execute(query.group_by(*values))
    ]


def find_jobs(connection: Connection, job_filter: JobFilter, access: JobAccess, ids: Sequence[UUID]) -> list[Row[Any]]:
    """Return those of some jobs that a filter means and the wall allows, without their texts."""
    query = select_jobs(job_filter, access, list(JOB_COLUMNS))
    return list(connection.execute(query.where(jobs.c.job_id == func.any(list(ids)))))


def read_decisions(connection: Connection, wall: Wall, ids: Sequence[UUID]) -> dict[UUID, bool | None]:
    """Return the decisions that some jobs have now; those that are gone or behind the wall are not there."""
    query = select(jobs.c.job_id, jobs.c.is_prohibited).where(jobs.c.job_id == func.any(list(ids)))
    rows = connection.execute(query.where(*of_clients(jobs.c.client_id, wall)))
    return {row.job_id: row.is_prohibited for row in rows}


def _value(kind: Stratification) -> ColumnElement[Any]:
    """Return what tells a job's stratum of a kind."""
    match kind:
        case Stratification.DECISION:
            return jobs.c.is_prohibited.expression
        case Stratification.CLIENT:
            return jobs.c.client_id.expression
        case Stratification.REASON:
            return func.left(jobs.c.reason, _LONGEST_REASON)
        case Stratification.CATEGORY:
            flags = [
                case(
                    (latest_log.c[category.column], literal_column(f"'{category.value} '")), else_=literal_column("''")
                )
                for category in Category
            ]
            flagged = func.rtrim(flags[0].concat(flags[1]).concat(flags[2]))
            return case((latest_log.c.evaluated, flagged))


def _is_stratum(values: Sequence[ColumnElement[Any]], stratum: tuple[Any, ...]) -> ColumnElement[bool]:
    return and_(*(column.element.is_not_distinct_from(value) for column, value in zip(values, stratum, strict=True)))


def _hash_below(share: float) -> int:
    """Return the hash below which about a share of all hashes lie."""
    return min(_LEAST_HASH + int(share * 2**64), _GREATEST_HASH)
