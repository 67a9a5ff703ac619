"""A COPY out of libpq, waited for without keeping others waiting."""

import asyncio
import fcntl
import sys
import termios

import psycopg
from psycopg import pq

from core.csv.format import _COPY

# Bytes, and seconds. The server sends 8 KiB at a time; waking up for each would cost more than reading it. Where less
# has arrived it is given this time, in which it fills about the socket's buffer; where as much has, it would have to
# wait until somebody reads.
ENOUGH, ARRIVAL = 32 * 1024, 0.0005

# Over TLS libpq takes in a record at a time, which PostgreSQL makes of each 8 KiB; else all that it has room for, which
# `connect_for_export` makes. So many records are taken in before others have their turn.
TLS_RECORDS = 8


class CopyOut:
    """A COPY that has begun, as libpq reads it.

    What libpq has taken in is taken from it before it takes in more: it makes room for what comes on top, and keeps
    that. It would hold a whole export, which a server sends as quickly as it is read.
    """

    def __init__(self, pgconn: pq.abc.PGconn) -> None:
        self._pgconn = pgconn
        self._records = 0

    async def take_in(self) -> None:
        """Let libpq take in what the socket holds: the server fills it anew while its rows are taken."""
        pgconn = self._pgconn
        if pgconn.ssl_in_use and self._records < TLS_RECORDS and _count_arrived(pgconn):
            self._records += 1
        else:
            self._records = 1
            await _readable(pgconn)
            if _count_arrived(pgconn) < ENOUGH:
                await asyncio.sleep(ARRIVAL)
        pgconn.consume_input()


async def begin_copy(pgconn: pq.abc.PGconn, statement: str) -> CopyOut:
    """Send a statement as a COPY; raise what the server has against it."""
    pgconn.send_query(_COPY.format(statement).encode())
    await _flush(pgconn)
    started = await _next_result(pgconn)
    if started is None or started.status != pq.ExecStatus.COPY_OUT:
        await finish(pgconn, started)
        raise AssertionError("COPY … TO STDOUT gave no error and no data")
    return CopyOut(pgconn)


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


async def finish(pgconn: pq.abc.PGconn, result: pq.abc.PGresult | None) -> None:
    """Take the last results of a statement; raise the error that one of them carries."""
    error = None
    while result is not None or (result := await _next_result(pgconn)) is not None:
        if result.status not in (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.COPY_OUT):
            error = psycopg.errors.error_from_result(result)
        result = None
    if error is not None:
        raise error
