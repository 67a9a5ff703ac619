"""An export that the nodes of Citus are asked for themselves, slice by slice; what they send is put in order here.

The coordinator would take the rows in, put them in order and write them once more, while the nodes wait. It stays what
an export goes by where a node cannot be reached, or where only the coordinator knows how to read a table.
"""

import asyncio
import time
from bisect import bisect_left
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import replace
from itertools import groupby
from typing import Any, TypeVar

import psycopg
from sqlalchemy import Select, func, literal

from core.csv.copy_out import BLOCK_SIZE, Block, copy_rows, render
from core.db.database import Database
from core.db.schema import jobs
from core.errors import FencepostError
from core.export.job_columns import export_query
from core.export.nodes import Node, Part, find_group, find_parts
from core.export.time_slices import First, TimeSlices
from core.jobs.access import JobAccess
from core.jobs.filter import DateRange, JobFilter
from core.jobs.query import WHOLE, boundary_query, count_query

Result = TypeVar("Result")

# What reads a slice from a node.
Reading = asyncio.Task[tuple[list[bytes], float]]

# A connection to a node, and what the node has.
Asked = tuple[psycopg.AsyncConnection, Sequence[Part]]

# Jobs of the first slice: few, so that its rows come at once.
FIRST_JOBS = 500

# Slices that are read or held at once.
AT_ONCE = 2

# A record has the time before it, at fixed width, and begins with its id: as bytes, records are in the order of the
# export.
_KEY_SIZE = len(r"\x0002ebc6a3f4c000,")
_NEGATIVE = rb"\x8"


class NodesUnusable(FencepostError):
    """The nodes cannot be asked themselves; the sentence says why."""


@asynccontextmanager
async def connected_nodes(source: Database, coordinator: psycopg.AsyncConnection) -> AsyncIterator[list[Asked]]:
    """Connect to each node that has parts of the jobs, in a transaction that reads one snapshot of that node.

    All of them agree, each in its own snapshot, on where the parts are: none is moved meanwhile.
    Raises `NodesUnusable`.
    """
    async with AsyncExitStack() as stack:

        async def connect(node: Node) -> psycopg.AsyncConnection:
            try:
                connection = await source.connect_for_export(at=node.seen_from(coordinator.info.host))
            except FencepostError as error:
                raise NodesUnusable(f"the node {node} cannot be reached with the same role and password") from error
            stack.push_async_callback(connection.close)
            if await find_group(connection) != node.group or await find_parts(connection) != parts:
                raise NodesUnusable(f"{node} does not have the parts that the coordinator says it has")
            return connection

        try:
            parts = await find_parts(coordinator)
            if not parts:
                raise NodesUnusable("only the coordinator knows how `jobs` and `moderation_logs` are read")
            by_node = [(node, list(of_node)) for node, of_node in groupby(parts, key=lambda part: part.node)]
            connections = await _together(connect(node) for node, _ in by_node)
        except psycopg.Error as error:
            raise NodesUnusable(f"a server does not say which parts it has (SQLSTATE {error.sqlstate})") from error
        yield [(connection, of_node) for connection, (_, of_node) in zip(connections, by_node, strict=True)]


class NodeCopy:
    """The records of one export. `total` is their number, where it is to be counted: in the snapshots of the export."""

    def __init__(
        self,
        source: Database,
        coordinator: psycopg.AsyncConnection,
        *,
        job_filter: JobFilter,
        access: JobAccess,
        with_total: bool,
    ) -> None:
        self.total: int | None = None
        self._source = source
        self._coordinator = coordinator
        self._filter = job_filter
        self._access = access
        self._with_total = with_total

    async def blocks(self) -> AsyncGenerator[Block]:
        """Yield the records in order, in blocks of about 128 KiB, of which none reaches into two slices.

        Raises `NodesUnusable` before the first. Closing the generator closes the connections to the nodes.
        """
        async with connected_nodes(self._source, self._coordinator) as nodes, aclosing(self._slices(nodes)) as slices:
            async for records, size in slices:
                step = max(1, BLOCK_SIZE * len(records) // size)
                for place in range(0, len(records), step):
                    block = records[place : place + step]
                    yield Block(b"".join([record[_KEY_SIZE:] for record in block]), len(block))
                # Given back at once, not when the next ones are there.
                records.clear()

    async def _slices(self, nodes: Sequence[Asked]) -> AsyncGenerator[tuple[list[bytes], int]]:
        """Yield the records of slice after slice, and their bytes.

        The one that is next is asked for already: a node goes on to it while another still sends of this one, and
        while that is put in order and taken. More than these two are never held.
        """
        if self._with_total:
            query = self._render(count_query(self._filter, self._access))
            self.total = sum(
                count for of_node in await _together(_fetch(node, query) for node in nodes) for (count,) in of_node
            )
        slices = TimeSlices(self._filter.range, await self._find_first(nodes))
        asked = deque[tuple[DateRange, list[Reading]]]()
        before: Sequence[Reading | None] = [None] * len(nodes)
        try:
            while True:
                while len(asked) < AT_ONCE and (part := slices.cut()) is not None:
                    query = self._render(_with_key(export_query(replace(self._filter, range=part), self._access)))
                    reading = [
                        asyncio.create_task(_read(node, query, after))
                        for node, after in zip(nodes, before, strict=True)
                    ]
                    asked.append((part, reading))
                    before = reading
                if not asked:
                    return
                part, reading = asked[0]
                with _named_node():
                    given = await asyncio.gather(*reading)
                asked.popleft()
                records = _merge([of_node for of_node, _ in given])
                size = sum(map(len, records))
                slices.learn(part, size, max(seconds for _, seconds in given))
                if records:
                    yield records, size
        finally:
            left = [task for _, reading in asked for task in reading]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _find_first(self, nodes: Sequence[Asked]) -> First | None:
        """Find the first jobs, those of the first slice; None where everything is one slice."""
        number = max(1, FIRST_JOBS // sum(len(parts) for _, parts in nodes))
        queries = [
            self._render(boundary_query(self._filter, self._access, WHOLE, place).add_columns(literal(place)))
            for place in (0, number)
        ]
        given = await _together(_fetch(node, *queries) for node in nodes)
        found = [row for of_node in given for row in of_node]
        ends = [moment for moment, _, place in found if place == number]
        if not ends:
            return None
        begins_at = min(moment for moment, _, _ in found)
        return First(begins_at, min(ends) - begins_at)

    def _render(self, query: Select[Any]) -> str:
        return render(self._coordinator, query, self._access.topology)


async def _read(node: Asked, query: str, after: Reading | None) -> tuple[list[bytes], float]:
    """Read what a node has of a slice, once it has given what it has of the one before; tell how long it took.

    A node gives its parts one after the other: in the order of the export it would go from part to part with each
    row, and find none of their pages in the processor's cache, which costs more than all the rest.
    """
    if after is not None:
        await asyncio.wait({after})
        after.result()
    connection, parts = node
    began = time.perf_counter()
    return await copy_rows(connection, _of_each(parts, query)), time.perf_counter() - began


def _with_key(query: Select[Any]) -> Select[Any]:
    """Put the time before each record: as eight bytes, because it need only be compared, not read."""
    key = func.timestamptz_send(jobs.c.created_at)
    return query.order_by(None).with_only_columns(key, *query.selected_columns)


def _merge(given: Sequence[list[bytes]]) -> list[bytes]:
    """Put the records of several nodes in order; what is returned holds all of them, and nothing else does."""
    records = given[0]
    for of_node in given[1:]:
        records += of_node
        of_node.clear()
    # Mostly stretches that are in order already, which Python's sort merges.
    records.sort()
    # Times before 2000 are negative, and so behind all others.
    first = bisect_left(records, _NEGATIVE)
    if first < len(records):
        records[:] = records[first:] + records[:first]
    return records


def _of_each(parts: Sequence[Part], query: str) -> str:
    """Ask the same of each part, by the names of the whole tables."""
    return " UNION ALL ".join(
        f"(WITH jobs AS NOT MATERIALIZED (SELECT * FROM {part.jobs}),"
        f" moderation_logs AS NOT MATERIALIZED (SELECT * FROM {part.logs}) {query})"
        for part in parts
    )


async def _fetch(node: Asked, *queries: str) -> list[tuple[Any, ...]]:
    """Ask a node the same of each of its parts."""
    connection, parts = node
    statement = " UNION ALL ".join(_of_each(parts, query) for query in queries)
    return await (await connection.execute(statement.encode())).fetchall()


async def _together(works: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Do several things at once. The first that fails ends the others, and is what is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in works]
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]


@contextmanager
def _named_node() -> Iterator[None]:
    """Let a connection that breaks be one to a node, and not to the source."""
    try:
        yield
    except psycopg.OperationalError as error:
        # Or its server is stopped.
        if error.sqlstate is None or error.sqlstate.startswith("57P"):
            raise psycopg.errors.ConnectionFailure("a node of Citus is gone") from error
        raise
