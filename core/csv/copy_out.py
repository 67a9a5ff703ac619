"""`COPY … TO STDOUT` by way of libpq: rows of a query as blocks of CSV, or as single records."""

import asyncio
import fcntl
import sys
import termios
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import pq
from sqlalchemy import Select

from core.csv.format import _COPY, make_dialect
from core.db.topology import ONE_SERVER, Topology

# Bytes. Large enough that the work for a block (a hash, a send) does not count, small enough to stay flat in memory.
BLOCK_SIZE = 128 * 1024


# Bytes, and seconds. The server sends 8 KiB at a time; waking up for each would cost more than reading it. Where less
# has arrived it is given this time, in which it fills about the socket's buffer; where as much has, it would have to
# wait until somebody reads.
ENOUGH, ARRIVAL = 64 * 1024, 0.0005


@dataclass(frozen=True, slots=True)
class Block:
    """Whole records of the CSV, as bytes, and how many they are."""

    data: bytes
    rows: int


async def copy_csv(
    connection: psycopg.AsyncConnection, query: Select[Any], topology: Topology = ONE_SERVER
) -> AsyncGenerator[Block]:
    """Run the query as a COPY and yield its records in blocks of about 128 KiB, without BOM and header.

    Talks to libpq directly: a coroutine step a row would cost more than the row. The connection can be used for
    nothing else until the last block was taken; whoever stops earlier closes it, which ends the statement.
    """
    pgconn = connection.pgconn
    await _begin(pgconn, render(connection, query, topology))
    # Copied at once: rows that are kept until there is a block cost half as much again.
    data, rows, is_drained = bytearray(), 0, True
    take = pgconn.get_copy_data
    # Each message is one record (PostgreSQL's protocol, "COPY Operations": "always one per row").
    while True:
        length, row = take(1)
        if length > 0:
            data += row
            rows += 1
            is_drained = False
            if len(data) >= BLOCK_SIZE:
                yield Block(bytes(data), rows)
                data.clear()
                rows = 0
        elif length == 0:
            is_drained = await _take_in(pgconn, is_drained=is_drained)
        else:
            break
    await _finish(pgconn, None)
    if rows:
        yield Block(bytes(data), rows)


async def copy_rows(connection: psycopg.AsyncConnection, statement: str) -> list[bytes]:
    """Run a statement as a COPY and return its records one by one, for who puts those of several servers in order.

    Who is cancelled meanwhile closes the connection, as with `copy_csv`.
    """
    pgconn = connection.pgconn
    await _begin(pgconn, statement)
    rows, is_drained = list[bytes](), True
    take = pgconn.get_copy_data
    while True:
        length, row = take(1)
        if length > 0:
            # Copied, because what libpq lends is larger.
            rows.append(bytes(row))
            is_drained = False
        elif length == 0:
            is_drained = await _take_in(pgconn, is_drained=is_drained)
        else:
            break
    await _finish(pgconn, None)
    return rows


def render(connection: psycopg.AsyncConnection, query: Select[Any], topology: Topology = ONE_SERVER) -> str:
    """Write a query out with its parameters as literals, because COPY takes none."""
    compiled = query.compile(dialect=make_dialect(topology), compile_kwargs={"render_postcompile": True})
    return psycopg.AsyncClientCursor(connection).mogrify(str(compiled), compiled.params)


async def _begin(pgconn: pq.abc.PGconn, statement: str) -> None:
    """Send a statement as a COPY; raise what the server has against it."""
    pgconn.send_query(_COPY.format(statement).encode())
    await _flush(pgconn)
    started = await _next_result(pgconn)
    if started is None or started.status != pq.ExecStatus.COPY_OUT:
        await _finish(pgconn, started)
        raise AssertionError("COPY … TO STDOUT gave no error and no data")


async def _take_in(pgconn: pq.abc.PGconn, *, is_drained: bool) -> bool:
    """Let libpq take in what has arrived, or will; return whether all of it was taken before."""
    # libpq takes 16 KiB at a time, and there may be more of what has arrived.
    if is_drained:
        await _readable(pgconn)
        if _count_arrived(pgconn) < ENOUGH:
            await asyncio.sleep(ARRIVAL)
    pgconn.consume_input()
    return not is_drained


def _count_arrived(pgconn: pq.abc.PGconn) -> int:
    """Count the bytes that the socket holds (FIONREAD of ioctl(2))."""
    return int.from_bytes(fcntl.ioctl(pgconn.socket, termios.FIONREAD, bytes(4)), sys.byteorder)


async def _readable(pgconn: pq.abc.PGconn) -> None:
    """Wait until the server has sent something."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(pgconn.socket, _resolve, ready)
    try:
        await ready
    finally:
        loop.remove_reader(pgconn.socket)


async def _flush(pgconn: pq.abc.PGconn) -> None:
    """Send what is left of a statement."""
    loop = asyncio.get_running_loop()
    while pgconn.flush() != 0:
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_writer(pgconn.socket, _resolve, ready)
        try:
            await ready
        finally:
            loop.remove_writer(pgconn.socket)


def _resolve(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


async def _next_result(pgconn: pq.abc.PGconn) -> pq.abc.PGresult | None:
    while pgconn.is_busy():
        await _readable(pgconn)
        pgconn.consume_input()
    return pgconn.get_result()


async def _finish(pgconn: pq.abc.PGconn, result: pq.abc.PGresult | None) -> None:
    """Take the last results of a statement; raise the error that one of them carries."""
    error = None
    while result is not None or (result := await _next_result(pgconn)) is not None:
        if result.status not in (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.COPY_OUT):
            error = psycopg.errors.error_from_result(result)
        result = None
    if error is not None:
        raise error
