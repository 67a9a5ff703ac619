"""One use case: an export, from its receipt to its last byte. The API, the dashboard and the shell all come here."""

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from uuid import UUID, uuid4

import psycopg

from core.actor import Actor, Forbidden
from core.csv.copy_out import Block, render
from core.csv.format import BOM
from core.db.databases import Databases
from core.db.relations import hold_tables
from core.db.topology import ONE_SERVER
from core.errors import ExportCut, ExportTooSlow, FencepostError, StatementDropped
from core.export.by_facts import are_usable_in
from core.export.job_columns import HEADER, export_query
from core.export.node_copy import NodeCopy, NodesUnusable
from core.export.parallel_copy import ParallelCopy
from core.export.receipts import (
    HEARTBEAT,
    Contents,
    Progress,
    Snapshot,
    Status,
    Via,
    close_receipt,
    open_receipt,
    renew_receipt,
)
from core.export.snapshot import take_snapshot
from core.jobs.access import JobAccess, make_access
from core.jobs.filter import JobFilter
from core.jobs.query import count_query
from core.jobs.wall import Wall
from core.metrics.registry import EXPORT_BYTES, EXPORT_ROWS, EXPORTS, FIRST_BYTE
from core.tracing import span

log = logging.getLogger("fencepost.exports")

# Jobs that a search finds and sorts before the first one is sent; and milliseconds that it may take to count them.
FEW = 20_000
SEARCH_LIMIT = 1_000

# Seconds before an export begins again whose statement a server has dropped before its first row: a standby that
# follows its primary does so, and one that restarts.
PAUSES = (0.2, 1, 3)

WITHHELD = "An export holds all texts, and some are withheld from you: ask an admin for the right to see them."


@dataclass(slots=True)
class Reader:
    """Who reads an export. Its door sets `gone` before it leaves, when the reader went away or stopped reading."""

    gone: bool = False


class Export:
    """A running export of jobs whose first block is in hand already.

    `total` is the number of records, where it was asked for: counted in the export's own snapshot.
    """

    contents = Contents.JOBS
    header = HEADER

    def __init__(
        self, export_id: UUID, databases: Databases, job_filter: JobFilter, actor: Actor, via: Via, workers: int
    ) -> None:
        self.export_id = export_id
        self.via = via
        self.total: int | None = None
        self.progress = Progress()
        self.snapshot: Snapshot | None = None
        self._databases = databases
        self._filter = job_filter
        self._actor = actor
        self._workers = workers
        self._connection: psycopg.AsyncConnection | None = None
        self._blocks: AsyncGenerator[Block] | None = None
        self._first: Block | None = None
        self._cut: ExportCut | None = None
        self.is_complete = False

    @property
    def filename(self) -> str:
        """The name of the file, after the UTC dates of its bounds."""
        start, end = (instant.date().isoformat() for instant in (self._filter.range.start, self._filter.range.end))
        suffix = f"_filtered_{str(self.export_id)[:8]}" if self._filter.narrows() else ""
        return f"{self.contents.value}_{start}_{end}{suffix}.csv"

    async def stream(self) -> AsyncGenerator[bytes]:
        """Yield the body: BOM, header, records. Ends only after the receipt was committed as `complete`.

        Raises `ExportCut` or `DatabaseUnavailable` where the body cannot be completed; what was yielded before is
        then no file, and must not be ended as if it were one.
        """
        assert self._blocks is not None
        digest = hashlib.sha256()
        start = BOM + self.header
        block = self._first
        self._first = None
        while block is not None:
            if self._cut is not None:
                raise self._cut
            data = start + block.data
            start = b""
            digest.update(data)
            self.progress = Progress(self.progress.rows + block.rows, self.progress.bytes + len(data))
            yield data
            # Other tasks get their turn even where neither the database nor the reader makes this one wait.
            await asyncio.sleep(0)
            with self._translated_errors():
                block = await anext(self._blocks, None)
        await asyncio.to_thread(self._close_receipt, Status.COMPLETE, sha256=digest.hexdigest())
        self.is_complete = True

    def _translated_errors(self) -> AbstractContextManager[None]:
        database = self._databases.source if self.contents is Contents.JOBS else self._databases.ours
        return database.translated_errors()

    async def begin(self, wall: Wall, *, with_total: bool) -> datetime:
        """Take the snapshot and fetch the first block; return the snapshot's time.

        Begins again, with a new snapshot, a few times where the server has dropped what it had begun, or the tables are
        not those of the snapshot any more: nobody has read anything yet.
        """
        for pause in PAUSES:
            try:
                return await self._begin(wall, with_total=with_total)
            except StatementDropped:
                log.warning("export %s begins again in %g seconds: what it had begun is lost", self.export_id, pause)
            await self._disconnect()
            await asyncio.sleep(pause)
        return await self._begin(wall, with_total=with_total)

    async def _begin(self, wall: Wall, *, with_total: bool) -> datetime:
        source = self._databases.source
        access = await asyncio.to_thread(make_access, self._databases, wall)
        self._connection = connection = await source.connect_for_export()
        with source.translated_errors():
            if access.topology.is_distributed and source.may_ask_nodes():
                snapshot_at, _ = await take_snapshot(connection, ONE_SERVER, shared=False)
                if await self._begin_at_nodes(connection, access, with_total=with_total):
                    self.snapshot = Snapshot.PER_NODE
                    return snapshot_at
            snapshot_at, snapshot = await take_snapshot(connection, access.topology, shared=self._workers > 1)
            self.snapshot = None if access.topology.is_one_server else Snapshot.PER_NODE
            by_facts = access.has_facts and not self._filter.job_id and await are_usable_in(connection)
            access = replace(access, has_facts=by_facts)
            if access.topology.is_one_server:
                await hold_tables(connection, render(connection, export_query(self._filter, access)))
            if with_total:
                query = count_query(self._filter, access)
                counted = await connection.execute(render(connection, query, access.topology))
                self.total = (await counted.fetchone() or (0,))[0]
            by_search = await _go_by_search(connection, self._filter, access)
            self._blocks = ParallelCopy(
                source,
                connection,
                snapshot,
                workers=1 if by_search else self._workers,
                job_filter=self._filter,
                access=access,
            ).blocks()
            self._first = await anext(self._blocks, Block(b"", 0))
        return snapshot_at

    async def _begin_at_nodes(
        self, coordinator: psycopg.AsyncConnection, access: JobAccess, *, with_total: bool
    ) -> bool:
        """Let the nodes of Citus give the records themselves; tell whether they do."""
        source = self._databases.source
        copy = NodeCopy(source, coordinator, job_filter=self._filter, access=access, with_total=with_total)
        blocks = copy.blocks()
        try:
            first = await anext(blocks, Block(b"", 0))
        except (NodesUnusable, psycopg.Error) as error:
            reason = (
                error if isinstance(error, NodesUnusable) else f"a node refuses the query (SQLSTATE {error.sqlstate})"
            )
            log.warning("exports go through the coordinator for a while: %s", reason)
            source.leave_nodes()
            await coordinator.rollback()
            return False
        self._blocks, self._first, self.total = blocks, first, copy.total
        return True

    async def keep_alive(self) -> None:
        """Renew the receipt until cancelled; remember when somebody else has closed it."""
        while True:
            await asyncio.sleep(HEARTBEAT)
            try:
                await asyncio.to_thread(renew_receipt, self._databases.ours, self.export_id, self.progress)
            except ExportCut as cut:
                self._cut = cut
            except FencepostError:
                log.warning("export %s: the receipt could not be renewed", self.export_id)

    async def close(self, status: Status) -> None:
        """Give the connection back and, where the export is not complete, record how it ended.

        Closing the connection ends the statement on the server, which looks for its reader every second.
        """
        # Begun before anything that waits, so that the end is recorded even when the server shuts down meanwhile.
        recording = None if self.is_complete else self._record(status)
        try:
            await self._disconnect()
        finally:
            if recording is not None:
                try:
                    await asyncio.shield(recording)
                except FencepostError:
                    log.warning("export %s: its end (%s) could not be recorded", self.export_id, status)

    async def _disconnect(self) -> None:
        try:
            if self._blocks is not None:
                await self._blocks.aclose()
        finally:
            if self._connection is not None:
                await self._connection.close()

    def _record(self, status: Status) -> asyncio.Future[None]:
        return _in_thread(partial(self._close_receipt, status))

    def _close_receipt(self, status: Status, *, sha256: str | None = None) -> None:
        close_receipt(self._databases, self._actor, self.export_id, self.progress, status, sha256=sha256)
        EXPORTS.labels(self.via, status).inc()
        EXPORT_ROWS.labels(self.via).inc(self.progress.rows)
        EXPORT_BYTES.labels(self.via).inc(self.progress.bytes)


@asynccontextmanager
async def start_export(
    databases: Databases,
    job_filter: JobFilter,
    actor: Actor,
    *,
    via: Via,
    reader: Reader,
    kind: type[Export] = Export,
    with_total: bool = False,
    first_byte_timeout: float,
    workers: int,
) -> AsyncIterator[Export]:
    """Start an export: its receipt is committed, its snapshot taken and its first block fetched on entry.

    What can fail has failed then. Leaving the block ends the export, whatever happened: as `complete` when the
    stream came to its end, as `interrupted` when the reader is gone, else as `failed`.
    Raises `DatabaseUnavailable`, and `ExportTooSlow` when the first block takes longer than `first_byte_timeout`
    seconds; and `Forbidden` where texts are withheld from the actor: an export holds all texts or is none.
    """
    if kind.contents is Contents.JOBS and actor.wall.withheld:
        raise Forbidden(WITHHELD)
    began = time.perf_counter()
    export = kind(uuid4(), databases, job_filter, actor, via, workers)
    opening = _in_thread(
        partial(open_receipt, databases, actor, export.export_id, job_filter, via=via, contents=kind.contents)
    )
    try:
        await asyncio.shield(opening)
    except asyncio.CancelledError:
        # A row that was committed unseen would stay `running`.
        await asyncio.wait({opening})
        if opening.exception() is None:
            await export.close(_end(reader))
        raise
    beat = asyncio.create_task(export.keep_alive())
    with span("export", {"fencepost.export_id": str(export.export_id), "fencepost.via": str(via)}) as traced:
        try:
            try:
                async with asyncio.timeout(first_byte_timeout):
                    snapshot_at = await export.begin(actor.wall, with_total=with_total)
            except TimeoutError:
                raise ExportTooSlow(
                    f"The export did not begin within {first_byte_timeout:g} seconds: choose fewer days."
                ) from None
            renew = partial(renew_receipt, snapshot_at=snapshot_at, snapshot=export.snapshot)
            await asyncio.to_thread(renew, databases.ours, export.export_id, Progress())
            first_byte = time.perf_counter() - began
            FIRST_BYTE.observe(first_byte)
            traced.note({"fencepost.first_byte_seconds": first_byte})
            yield export
        finally:
            beat.cancel()
            await export.close(_end(reader))
            status = Status.COMPLETE if export.is_complete else _end(reader)
            progress = {"fencepost.rows": export.progress.rows, "fencepost.bytes": export.progress.bytes}
            traced.note({"fencepost.status": str(status), **progress})


async def _go_by_search(connection: psycopg.AsyncConnection, job_filter: JobFilter, access: JobAccess) -> bool:
    """Let the transaction read by the index of searches where that finds few jobs at once; tell whether it does.

    Everything else is read in the order of the export, so that the first rows come before the last are found.
    """
    # What is set here is not set on nodes.
    if job_filter.q is None or not access.folding.is_indexed or access.topology.is_distributed:
        return False
    query = render(connection, count_query(job_filter, access, limit=FEW + 1), access.topology)
    by_search = "SET LOCAL enable_indexscan = off; SET LOCAL enable_sort = on"
    try:
        async with connection.transaction(force_rollback=True):
            await connection.execute(f"{by_search}; SET LOCAL statement_timeout = {SEARCH_LIMIT}")
            row = await (await connection.execute(query)).fetchone()
    except psycopg.errors.QueryCanceled:
        return False
    if row is None or row[0] > FEW:
        return False
    await connection.execute(by_search)
    return True


def _in_thread(work: Callable[[], None]) -> asyncio.Future[None]:
    """Begin what must come to its end even when the server shuts down.

    It then cancels every task, a shielded one as well, but no future, and waits for its threads.
    """
    return asyncio.get_running_loop().run_in_executor(None, work)


def _end(reader: Reader) -> Status:
    return Status.INTERRUPTED if reader.gone else Status.FAILED
