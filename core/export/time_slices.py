"""Slices of an export whose jobs are distributed: stretches of time, of a histogram that the nodes make side by side.

To find the job at some place among all of them, each node would send as many as come before it.
"""

from collections import deque
from dataclasses import replace
from datetime import datetime, timedelta

import psycopg

from core.csv.copy_out import render
from core.jobs.access import JobAccess
from core.jobs.filter import DateRange, JobFilter
from core.jobs.query import PageKey, Slice, boundary_query, histogram_query, narrow_to

# Jobs of the first slice, which nobody waits for long: each node sends so many keys.
FIRST_JOBS = 500

# Stretches of a histogram, and the shortest one that is divided further.
STRETCHES = 1_000
SHORTEST = timedelta(milliseconds=1)


# A stretch of time: its start, its end, and how many jobs it has.
_Stretch = tuple[datetime, datetime, int]


class TimeSlices:
    """Where slices end. They are only bounds, and need not be of the export's snapshot."""

    def __init__(self, job_filter: JobFilter, access: JobAccess) -> None:
        self._filter = job_filter
        self._access = access
        # Those that have jobs, in order; None until they are counted.
        self._stretches: deque[_Stretch] | None = None

    async def find_end(self, connection: psycopg.AsyncConnection, start: PageKey | None, jobs: int) -> PageKey | None:
        """Find where the slice ends that begins at a key, and should have so many jobs; None where it is the last."""
        if start is None:
            # The server that the nodes send a slice to puts it in order.
            await connection.execute("SET LOCAL work_mem = '64MB'")
            query = boundary_query(self._filter, self._access, Slice(None, None), FIRST_JOBS)
            row = await (await connection.execute(render(connection, query, self._access.topology))).fetchone()
            return None if row is None else PageKey(*row)
        if self._stretches is None:
            rest = narrow_to(self._filter, Slice(start, None))
            self._stretches = deque(await self._count(connection, rest.range))
        total = 0
        while self._stretches:
            begin, end, count = self._stretches.popleft()
            if count > 2 * jobs and end - begin > SHORTEST:
                if total:
                    self._stretches.appendleft((begin, end, count))
                    return PageKey.before(begin)
                self._stretches.extendleft(reversed(await self._count(connection, DateRange(begin, end))))
                continue
            total += count
            if total >= jobs and self._stretches:
                return PageKey.before(end)
        return None

    async def _count(self, connection: psycopg.AsyncConnection, bounds: DateRange) -> list[_Stretch]:
        query = histogram_query(replace(self._filter, range=bounds), self._access, STRETCHES)
        found = await (await connection.execute(render(connection, query, self._access.topology))).fetchall()
        length = (bounds.end - bounds.start) / STRETCHES
        stretches = []
        for number, count in found:
            # A moment at a bound may be rounded beyond it.
            before = min(max(number - 1, 0), STRETCHES - 1)
            stretches.append((bounds.start + before * length, bounds.start + (before + 1) * length, int(count)))
        return stretches
