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
from core.jobs.strata import Stratification, list_rows
from core.quality.places import Kind, Place, count_by_hour, read_places

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
    connection: Connection,
    job_filter: JobFilter,
    access: JobAccess,
    by: Sequence[Stratification],
    *,
    kinds: Mapping[Kind, int],
    sizes: Mapping[tuple[Any, ...], int],
    seed: int,
) -> dict[tuple[Any, ...], list[UUID]]:
    """Draw so many of the jobs of each stratum, by the numbers of jobs that are kept beside them.

    Drawn are numbers out of as many as a stratum has jobs, which stand by kind and then by (created_at, job_id): the
    same seed draws the same jobs as long as they are the same. `kinds` are counted in the snapshot of the connection.
    """
    members: dict[tuple[Any, ...], list[Kind]] = {}
    for kind in sorted(kinds, key=lambda one: (one.code, one.client_id or "")):
        members.setdefault(kind.values(by), []).append(kind)
    numbers = {
        # Each stratum has chances of its own, whatever others there are.
        stratum: Random(f"{seed} {stratum}").sample(range(1, sum(kinds[kind] for kind in members[stratum]) + 1), size)  # noqa: S311 - reproducible, not secret
        for stratum, size in sizes.items()
    }
    of_kind = [
        (stratum, *_find_member(members[stratum], kinds, number))
        for stratum, drawn in numbers.items()
        for number in drawn
    ]
    counted = count_by_hour(connection, job_filter, access, {kind for _, kind, _ in of_kind})
    ends = {kind: list(accumulate(jobs)) for kind, (_, jobs) in counted.items()}
    places = []
    for _, kind, number in of_kind:
        at = bisect_left(ends[kind], number)
        hour = datetime.fromtimestamp(counted[kind][0][at], UTC)
        places.append(Place(kind, hour, number - (ends[kind][at - 1] if at else 0)))
    drawn_ids: dict[tuple[Any, ...], list[UUID]] = {stratum: [] for stratum in sizes}
    for (stratum, *_), job_id in zip(of_kind, read_places(connection, job_filter, access, places), strict=True):
        drawn_ids[stratum].append(job_id)
    return drawn_ids


def _find_member(kinds: Sequence[Kind], jobs: Mapping[Kind, int], number: int) -> tuple[Kind, int]:
    """Find the kind in which a number of a stratum lies, and the number within it."""
    for kind in kinds:
        if number <= jobs[kind]:
            return kind, number
        number -= jobs[kind]
    raise AssertionError("a number is drawn of no more jobs than there are")
