"""Drawing by chance: how many jobs there are of each stratum, and some of each."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    and_,
    case,
    func,
    literal,
    select,
)

from core.jobs.access import JobAccess
from core.jobs.filter import JobFilter
from core.jobs.strata import Kind, Place, Stratification, list_rows
from core.quality.places import Hours

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
) -> dict[tuple[Any, ...], list[UUID]]:
    """Draw about a share of the matching jobs of each stratum, by their ids.

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
    found: dict[tuple[Any, ...], list[tuple[int, UUID]]] = {}
    for row in connection.execute(select(*values, job_id, hashed).where(hashed <= greatest, hashed <= limit)):
        *stratum, drawn, hashed_to = row
        found.setdefault(tuple(stratum), []).append((hashed_to, drawn))
    return {stratum: [drawn for _, drawn in sorted(keys)] for stratum, keys in found.items()}


def _is_stratum(values: Sequence[ColumnElement[Any]], stratum: tuple[Any, ...]) -> ColumnElement[bool]:
    return and_(*(column.is_not_distinct_from(value) for column, value in zip(values, stratum, strict=True)))


def _hash_below(share: float) -> int:
    """Return the hash below which about a share of all hashes lie."""
    return min(_LEAST_HASH + int(share * 2**64), _GREATEST_HASH)


def draw_places(
    counted: Mapping[Kind, Hours], by: Sequence[Stratification], *, sizes: Mapping[tuple[Any, ...], int], seed: int
) -> dict[tuple[Any, ...], list[Place]]:
    """Draw so many of the jobs of each stratum, as places: by the numbers of jobs that are kept beside them.

    Drawn are numbers out of as many as a stratum has jobs, which stand by kind, in the order of `counted`, and then by
    (created_at, job_id): the same seed draws the same jobs as long as they are the same.
    """
    members: dict[tuple[Any, ...], list[Kind]] = {}
    for kind in counted:
        members.setdefault(kind.values(by), []).append(kind)
    ends = {kind: list(accumulate(hours.values())) for kind, hours in counted.items()}
    starts = {kind: list(hours) for kind, hours in counted.items()}
    drawn: dict[tuple[Any, ...], list[Place]] = {}
    for stratum, size in sizes.items():
        jobs = sum(ends[kind][-1] for kind in members[stratum])
        # Each stratum has chances of its own, whatever others there are.
        numbers = Random(f"{seed} {stratum}").sample(range(1, jobs + 1), size)  # noqa: S311 - reproducible, not secret
        drawn[stratum] = [_find_place(members[stratum], starts, ends, number) for number in numbers]
    return drawn


def _find_place(
    kinds: Sequence[Kind], starts: Mapping[Kind, list[int]], ends: Mapping[Kind, list[int]], number: int
) -> Place:
    """Find the kind in which a number of a stratum lies, the hour, and the number within it."""
    for kind in kinds:
        if number <= ends[kind][-1]:
            at = bisect_left(ends[kind], number)
            hour = datetime.fromtimestamp(starts[kind][at], UTC)
            return kind, hour, number - (ends[kind][at - 1] if at else 0)
        number -= ends[kind][-1]
    raise AssertionError("a number is drawn of no more jobs than there are")
