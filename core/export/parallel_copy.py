"""An export on several connections: slices of one snapshot, copied side by side and put out in order.

The first connection, the leader, can do everything. Others join when there is more than one slice; where they cannot
(a snapshot that cannot be shared, a server that takes no more connections) the leader goes on alone. Exports that run
at once share the connections that one alone would have, so that many readers do not take the machine from the pages.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import ClassVar

import psycopg

from core.csv.copy_out import BLOCK_SIZE, Block, copy_csv, render
from core.db.database import Database
from core.errors import FencepostError
from core.export.job_columns import export_query
from core.export.time_slices import TimeSlices
from core.jobs.access import JobAccess
from core.jobs.filter import JobFilter
from core.jobs.query import PageKey, Slice, boundary_query

log = logging.getLogger("fencepost.exports")

# Bytes that all slices together may hold before it is their turn, and what a slice should come to, so that those who
# are ahead find room for theirs.
READ_AHEAD = 16 * 1024 * 1024
SLICE_SIZE = 4 * 1024 * 1024

# Jobs of a slice: few in the first, so that the others can begin; later as many as make up SLICE_SIZE, but never so
# many that finding the end of a slice (index work, a microsecond a job) keeps the others waiting.
FIRST_JOBS = 2_000
FEWEST_JOBS = 50
MOST_JOBS = 40_000

# The same where jobs are distributed: each slice takes its time to get to the nodes, and its end is known already.
DISTRIBUTED_SIZE = 12 * 1024 * 1024
MOST_DISTRIBUTED = 1_000_000

# Milliseconds. Finding the end of a slice takes longer than this only where no index serves it; then everything is one
# slice.
MOST_CUT = 300


@dataclass(slots=True)
class _Output:
    """What a slice has given and nobody has taken yet."""

    jobs: int
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
        self._tasks: list[asyncio.Task[None]] = []
        # Where the next slice begins, and how many jobs it should have.
        self._cutting = asyncio.Lock()
        self._start: PageKey | None = None
        self._jobs = FIRST_JOBS
        self._is_cut = False
        self._has_no_index = False
        self._time_slices = TimeSlices(job_filter, access) if access.topology.is_distributed else None
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
        while not (is_follower and self._followers > self._wanted_followers):
            cut = await self._cut(connection)
            if cut is None:
                return
            part, output = cut
            query = export_query(self._filter, self._access, part)
            async with aclosing(copy_csv(connection, query, self._access.topology)) as blocks:
                async for block in blocks:
                    await self._put(output, block)
            await self._complete(output)

    async def _cut(self, connection: psycopg.AsyncConnection) -> tuple[Slice, _Output] | None:
        """Cut the next slice off; None where nothing is left. One at a time, so that they come in order."""
        async with self._cutting:
            if self._is_cut:
                return None
            start, jobs = self._start, self._jobs
            end = await self._find_boundary(connection, start, jobs)
            output = _Output(jobs)
            async with self._changed:
                self._outputs.append(output)
                self._start = end
                self._is_cut = end is None
            # There is more than this slice: others can help.
            while end is not None and self._followers < self._wanted_followers:
                self._followers += 1
                self._tasks.append(asyncio.create_task(self._follow()))
            return Slice(start, end), output

    async def _find_boundary(
        self, connection: psycopg.AsyncConnection, start: PageKey | None, jobs: int
    ) -> PageKey | None:
        """Find where a slice ends that begins at a key; None where it takes all that is left."""
        if self._time_slices is not None:
            return await self._time_slices.find_end(connection, start, jobs)
        if self._workers == 1 or self._has_no_index:
            return None
        query = render(connection, boundary_query(self._filter, self._access, Slice(start, None), jobs))
        try:
            if start is not None:
                row = await (await connection.execute(query)).fetchone()
            else:
                # The first row of the export waits for this, so it must not take long where no index serves it.
                async with connection.transaction():
                    await connection.execute(f"SET LOCAL statement_timeout = {MOST_CUT}")
                    row = await (await connection.execute(query)).fetchone()
                    await connection.execute("SET LOCAL statement_timeout = 0")
        except psycopg.errors.QueryCanceled:
            self._has_no_index = True
            return None
        return None if row is None else PageKey(*row)

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

    async def _complete(self, output: _Output) -> None:
        async with self._changed:
            output.is_complete = True
            bytes_a_job = max(1, output.size / output.jobs)
            size, most = (SLICE_SIZE, MOST_JOBS) if self._time_slices is None else (DISTRIBUTED_SIZE, MOST_DISTRIBUTED)
            self._jobs = min(most, 4 * self._jobs, max(FEWEST_JOBS, int(size / bytes_a_job)))
            self._changed.notify_all()

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
                if not self._outputs and self._is_cut:
                    return None
                await self._changed.wait()

    async def _fail(self, error: Exception) -> None:
        async with self._changed:
            self._failure = error
            self._changed.notify_all()
