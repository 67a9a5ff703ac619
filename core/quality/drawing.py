"""Drawing by chance: how many jobs there are of each stratum, and some of each."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Uuid,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    select,
    union_all,
)

from core.jobs.access import JobAccess
from core.jobs.filter import JobFilter
from core.jobs.strata import Stratification, list_rows

# Hashes of ids are spread evenly over 64 bits, whatever the ids are.
_LEAST_HASH, _GREATEST_HASH = -(2**63), 2**63 - 1


def count_strata(
    connection: Connection, job_filter: JobFilter, access: JobAccess, by: Sequence[Stratification]
) -> dict[tuple[Any, ...], int]:
    """Count the matching jobs of each stratum; a stratum is its values in the order of `by`."""
    rows = list_rows(connection, job_filter, access, by)
    values = list(rows.c)[1:]
    query = select(*values, func.count().label("number")).group_by(*values)
    return {tuple(row[: len(by)]): int(row.number) for row in connection.execute(query)}


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
    rows = list_rows(connection, job_filter, access, by)
    job_id, values = rows.c.job_id, list(rows.c)[1:]
    # PostgreSQL's own hash of a uuid: 64 bits, another one for each seed, and signed.
    hashed: ColumnElement[int] = func.uuid_hash_extended(job_id, literal(seed, BigInteger))
    limit = case(
        *((_is_stratum(values, stratum), literal(_hash_below(share), BigInteger)) for stratum, share in shares.items()),
        else_=literal(_LEAST_HASH, BigInteger),
    )
    # Nearly all jobs are left out by the greatest limit, which is quicker to tell than their stratum.
    greatest = literal(_hash_below(max(shares.values())), BigInteger)
    no_number = cast(null(), BigInteger)
    counted = select(
        *values, func.count().label("number"), cast(null(), Uuid).label("job_id"), no_number.label("hashed")
    )
    drawn = select(*values, no_number, job_id, hashed).where(hashed <= greatest, hashed <= limit)
    # One statement, so that what is counted and what is drawn are one snapshot's; both can go to several workers.
    numbers: dict[tuple[Any, ...], int] = {}
    keys: dict[tuple[Any, ...], list[tuple[int, UUID]]] = {}
    for row in connection.execute(union_all(counted.group_by(*values), drawn)):
        stratum = tuple(row[: len(by)])
        if row.job_id is None:
            numbers[stratum] = int(row.number)
        else:
            keys.setdefault(stratum, []).append((row.hashed, row.job_id))
    return [
        (stratum, number, [drawn_id for _, drawn_id in sorted(keys.get(stratum, ()))])
        for stratum, number in numbers.items()
    ]


def _is_stratum(values: Sequence[ColumnElement[Any]], stratum: tuple[Any, ...]) -> ColumnElement[bool]:
    return and_(*(column.is_not_distinct_from(value) for column, value in zip(values, stratum, strict=True)))


def _hash_below(share: float) -> int:
    """Return the hash below which about a share of all hashes lie."""
    return min(_LEAST_HASH + int(share * 2**64), _GREATEST_HASH)
