"""An export on several connections: slices of one snapshot, copied side by side and put out in order.

The first connection, the leader, can do everything. Others join when there is more than one slice; where they cannot
(a snapshot that cannot be shared, a server that takes no more connections) the leader goes on alone. Exports that run
at once share the connections that one alone would have, so that many readers do not take the machine from the pages.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import ClassVar

import psycopg

from core.csv.copy_out import BLOCK_SIZE, Block, copy_csv, render
from core.db.database import Database
from core.errors import FencepostError
from core.export.by_facts import are_few
from core.export.job_columns import export_query
from core.export.time_slices import First, TimeSlices
from core.jobs.access import JobAccess
from core.jobs.filter import JobFilter
from core.jobs.query import WHOLE, boundary_query

log = logging.getLogger("fencepost.exports")

# Bytes that all slices together may hold before it is their turn: room for one that is ahead.
READ_AHEAD = 16 * 1024 * 1024

# Jobs of the first slice: few, so that the others can begin; fewer where each node of a distributed source sends as
# many.
FIRST_JOBS = 2_000
FIRST_DISTRIBUTED = 500

# Milliseconds. Finding the end of the first slice takes longer than this only where no index serves it; then everything
# is one slice.
MOST_CUT = 300


@dataclass(slots=True)
class _Output:
    """What a slice has given and nobody has taken yet."""

    blocks: deque[Block] = field(default_factory=deque)
    size: int = 0
    is_complete: bool = False


class ParallelCopy:
    """The records of one export. The leader's transaction holds the snapshot that the others import."""

    # Exports of this process that are under way; they run in one event loop.
    _running: ClassVar[int] = 0

    def __init__(
        self,
        source: Database,
        leader: psycopg.AsyncConnection,
        snapshot: str | None,
        *,
        workers: int,
        job_filter: JobFilter,
        access: JobAccess,
    ) -> None:
        self._source = source
        self._leader = leader
        self._snapshot = snapshot
        self._workers = workers if snapshot is not None else 1
        self._followers = 0
        self._filter = job_filter
        self._access = access
        # Everything else is read in the order of the export, which exports' connections insist on.
        self._sorts = access.has_facts and are_few(job_filter, access)
        self._tasks: list[asyncio.Task[None]] = []
        # None until the leader knows how long the first should be.
        self._slices: TimeSlices | None = None
        # The slices in order, from the one whose turn it is.
        self._outputs: deque[_Output] = deque()
        self._held = 0
        self._failure: Exception | None = None
        self._changed = asyncio.Condition()

    async def blocks(self) -> AsyncGenerator[Block]:
        """Yield the records in order, in blocks of at least 128 KiB.

        Only the first and the last are smaller: who looks for something rare sees at once that there is some.
        Closing the generator closes the connections of all followers; the leader's belongs to the caller.
        """
        ParallelCopy._running += 1
        self._tasks.append(asyncio.create_task(self._lead()))
        try:
            rows, parts, size, enough = 0, list[bytes](), 0, 1
            while (block := await self._take()) is not None:
                rows += block.rows
                parts.append(block.data)
                size += len(block.data)
                if size >= enough:
                    yield Block(b"".join(parts), rows)
                    rows, parts, size, enough = 0, [], 0, BLOCK_SIZE
            if parts:
                yield Block(b"".join(parts), rows)
        finally:
            ParallelCopy._running -= 1
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def _wanted_followers(self) -> int:
        """How many may help: the share of this export in the connections that one alone would have."""
        return max(1, self._workers // ParallelCopy._running) - 1

    async def _lead(self) -> None:
        try:
            await self._work(self._leader)
        except Exception as error:
            await self._fail(error)

    async def _follow(self) -> None:
        """Join with a connection of one's own, or leave the work to the others for good."""
        assert self._snapshot is not None
        try:
            connection = await self._source.connect_for_export(beside=self._leader, snapshot=self._snapshot)
        except FencepostError:
            log.warning("an export goes on with fewer connections: the database takes no more, or refuses its snapshot")
            self._followers -= 1
            self._workers -= 1
            return
        try:
            await self._work(connection, is_follower=True)
        except Exception as error:
            await self._fail(error)
        finally:
            self._followers -= 1
            await connection.close()

    async def _work(self, connection: psycopg.AsyncConnection, *, is_follower: bool = False) -> None:
        """Copy one slice after the other, until there is none left; a follower also until it is one too many."""
        if self._sorts:
            # Their keys are put in order, then merged: a hash join would leave whole jobs to be put in order.
            await connection.execute("SET LOCAL enable_sort = on; SET LOCAL enable_hashjoin = off")
        if self._slices is None:
            self._slices = TimeSlices(self._filter.range, await self._find_first(connection))
        while not (is_follower and self._followers > self._wanted_followers):
            part = self._slices.cut()
            if part is None:
                return
            output = _Output()
            self._outputs.append(output)
            # There is more than this slice: others can help.
            while self._slices.has_more and self._followers < self._wanted_followers:
                self._followers += 1
                self._tasks.append(asyncio.create_task(self._follow()))
            query = export_query(replace(self._filter, range=part), self._access)
            began, kept_waiting = time.perf_counter(), 0.0
            async with aclosing(copy_csv(connection, query, self._access.topology)) as blocks:
                async for block in blocks:
                    arrived = time.perf_counter()
                    await self._put(output, block)
                    kept_waiting += time.perf_counter() - arrived
            self._slices.learn(part, output.size, time.perf_counter() - began - kept_waiting)
            async with self._changed:
                output.is_complete = True
                self._changed.notify_all()

    async def _find_first(self, connection: psycopg.AsyncConnection) -> First | None:
        """Find the first jobs, those of the first slice; None where everything is one slice.

        There are no more, nobody helps, or no index serves it. What is put in order, slice by slice, before its first
        row comes is cut in any case.
        """
        topology = self._access.topology
        if self._workers == 1 and not self._sorts and not topology.is_distributed:
            return None
        if topology.is_distributed:
            # The server that the nodes send a slice to puts it in order.
            await connection.execute("SET LOCAL work_mem = '64MB'")
        number = FIRST_DISTRIBUTED if topology.is_distributed else FIRST_JOBS
        times = []
        try:
            # The first row of the export waits for this. What is set here is forgotten again.
            async with connection.transaction(force_rollback=True):
                if not topology.is_distributed:
                    await connection.execute(f"SET LOCAL statement_timeout = {MOST_CUT}")
                for place in (0, number):
                    query = boundary_query(self._filter, self._access, WHOLE, place)
                    row = await (await connection.execute(render(connection, query, topology))).fetchone()
                    if row is None:
                        return None
                    times.append(row[0])
        except psycopg.errors.QueryCanceled:
            return None
        return First(times[0], times[1] - times[0])

    async def _put(self, output: _Output, block: Block) -> None:
        """Hand a block over, once there is room: always for the slice whose turn it is, else within the read-ahead."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: self._held < READ_AHEAD or (self._outputs[0] is output and not output.blocks)
            )
            output.blocks.append(block)
            output.size += len(block.data)
            self._held += len(block.data)
            self._changed.notify_all()
        await asyncio.sleep(0)

    async def _take(self) -> Block | None:
        """Take the next block in order; None after the last. Raises what has made a connection fail."""
        async with self._changed:
            while True:
                if self._failure is not None:
                    raise self._failure
                while self._outputs and self._outputs[0].is_complete and not self._outputs[0].blocks:
                    self._outputs.popleft()
                    self._changed.notify_all()
                if self._outputs and self._outputs[0].blocks:
                    block = self._outputs[0].blocks.popleft()
                    self._held -= len(block.data)
                    self._changed.notify_all()
                    return block
                if not self._outputs and self._slices is not None and not self._slices.has_more:
                    return None
                await self._changed.wait()

    async def _fail(self, error: Exception) -> None:
        async with self._changed:
            self._failure = error
            self._changed.notify_all()
