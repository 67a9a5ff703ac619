"""Searches: what no index tells is looked for in one job after the other, for as long as somebody may wait.

The jobs that may be meant (by facts, or else by range and client) are looked at in stretches, in their order. Where the
time is over, what was found so far is right, and it is known how far the search has come.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from time import monotonic
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, literal, select

from core.jobs.access import JobAccess
from core.jobs.fact_query import asks_only_for_facts, key_query, select_matching
from core.jobs.filter import JobFilter
from core.jobs.query import WHOLE, PageKey, Slice, boundary_query, narrow_to, try_index, without_reason

# Seconds that a search may take before it says how far it has come, and that one stretch should take.
PATIENCE = 2.0
STRETCH = 0.1

# Jobs of a stretch: at first, and at most.
FIRST_JOBS, MOST_JOBS = 1_000, 100_000

# Where jobs are distributed: of how much of all time the first stretch is, the shortest one, and seconds that one
# should take, because nodes need some for whatever they are asked.
FIRST_SHARE, SHORTEST = 1 / 64, timedelta(milliseconds=1)
DISTRIBUTED_STRETCH = 0.4

# Seconds after which the index of searches is tried, where there is one: what is common is found before.
SOON = 0.25


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked of the jobs, and whether facts tell which of them may be meant."""

    job_filter: JobFilter
    access: JobAccess
    by_facts: bool

    @property
    def is_needed(self) -> bool:
        """Whether the filter asks for what no index tells."""
        asked = self.job_filter
        if self.access.jobs_are_ours and asked.reason is not None:
            return replace(without_reason(asked), spreadsheet_safe=False) != JobFilter(range=asked.range)
        texts = (asked.q, asked.reason, asked.reason_contains, asked.has_reason)
        return any(text is not None for text in texts) or (self.by_facts and not asks_only_for_facts(asked))

    def select(
        self, columns: Sequence[ColumnElement[Any]], part: Slice, *, is_newest_first: bool, limit: int | None
    ) -> Select[Any]:
        """Build the query of the matching jobs of a part."""
        return select_matching(
            columns,
            self.job_filter,
            self.access,
            part,
            is_newest_first=is_newest_first,
            limit=limit,
            by_facts=self.by_facts,
        )


@dataclass(frozen=True, slots=True)
class Found:
    """What a search has found; `searched_to` is where it goes on, or None where there is no need to."""

    rows: Sequence[Row[Any]]
    searched_to: PageKey | None = None


def find_rows(
    connection: Connection,
    search: Search,
    columns: Sequence[ColumnElement[Any]],
    part: Slice,
    *,
    is_newest_first: bool,
    limit: int,
    seconds: float = PATIENCE,
) -> Found:
    """Find the first matching jobs of a part, in `seconds` or a little more."""

    def read(stretch: Slice, most: int) -> Select[Any]:
        return search.select(columns, stretch, is_newest_first=is_newest_first, limit=most)

    if not search.is_needed:
        return Found(connection.execute(read(part, limit)).all())
    rows: list[Row[Any]] = []
    began, is_tried = monotonic(), False
    for stretch in _stretches(connection, search, part, is_newest_first=is_newest_first):
        rows += connection.execute(read(stretch, limit - len(rows))).all()
        place = stretch.start if is_newest_first else stretch.end
        if len(rows) >= limit or place is None:
            break
        passed = monotonic() - began
        if passed > SOON and not is_tried:
            is_tried = True
            rest = Slice(part.start, place) if is_newest_first else Slice(place, part.end)
            if (others := try_index(connection, read(rest, limit - len(rows)), search.access)) is not None:
                return Found([*rows, *others])
        if passed > seconds:
            return Found(rows, place)
    return Found(rows)


def count_rows(connection: Connection, search: Search, *, limit: int, seconds: float = PATIENCE) -> int | None:
    """Count the matching jobs as far as `limit`; None where that is not known in `seconds` or a little more."""
    count, began = 0, monotonic()
    for stretch in _stretches(connection, search, WHOLE, is_newest_first=True):
        found = search.select([literal(1)], stretch, is_newest_first=True, limit=limit - count).order_by(None)
        count += int(connection.execute(select(func.count()).select_from(found.subquery("found"))).scalar_one())
        if count >= limit or stretch.start is None:
            break
        if monotonic() - began > seconds:
            return None
    return count


def _stretches(connection: Connection, search: Search, part: Slice, *, is_newest_first: bool) -> Iterator[Slice]:
    """Cut a part into stretches, the next one longer where the one before took little time."""
    if search.access.topology.is_distributed:
        yield from _stretches_of_time(search, part, is_newest_first=is_newest_first)
        return
    place, size = part.end if is_newest_first else part.start, FIRST_JOBS
    while True:
        rest = Slice(part.start, place) if is_newest_first else Slice(place, part.end)
        began = monotonic()
        found = connection.execute(_cut_query(search, rest, size, is_newest_first=is_newest_first)).one_or_none()
        if found is None:
            yield rest
            return
        end = PageKey(*found)
        yield Slice(end, place) if is_newest_first else Slice(place, end)
        place = end
        size = min(MOST_JOBS, 2 * size) if monotonic() - began < STRETCH else max(FIRST_JOBS, size // 2)


def _stretches_of_time(search: Search, part: Slice, *, is_newest_first: bool) -> Iterator[Slice]:
    """Cut a part by time alone: to find a job by its number, each node would send all that come before it."""
    bounds = narrow_to(search.job_filter, part).range
    length, rest = FIRST_SHARE * (bounds.end - bounds.start), part
    at, last = (bounds.end, bounds.start) if is_newest_first else (bounds.start, bounds.end)
    while abs(last - at) > length:
        began = monotonic()
        at = at - length if is_newest_first else at + length
        place = PageKey.before(at)
        yield Slice(place, rest.end) if is_newest_first else Slice(rest.start, place)
        rest = Slice(rest.start, place) if is_newest_first else Slice(place, rest.end)
        length = 2 * length if monotonic() - began < DISTRIBUTED_STRETCH else max(SHORTEST, length / 2)
    yield rest


def _cut_query(search: Search, rest: Slice, jobs: int, *, is_newest_first: bool) -> Select[Any]:
    if not search.by_facts:
        return boundary_query(search.job_filter, search.access, rest, jobs, is_newest_first=is_newest_first)
    keys = key_query(search.job_filter, search.access, rest, is_newest_first=is_newest_first, limit=jobs + 1)
    return keys.offset(jobs).limit(1)
