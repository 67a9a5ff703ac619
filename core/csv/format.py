"""The CSV of the API page "Export jobs as CSV": columns as text in SQL, encoded by PostgreSQL's COPY.

The only module that knows a comma. Quoting is PostgreSQL's own (`COPY … (FORMAT csv)`): a null is empty and unquoted,
an empty string is `""`, a cell with a comma, a quote, CR or LF is quoted and its quotes are doubled (RFC 4180), and
records end in LF.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, LiteralString

import psycopg
from psycopg import pq, sql
from sqlalchemy import ColumnElement, Dialect, Select, Text, case, cast, collate, func, literal_column
from sqlalchemy.dialects.postgresql import psycopg as psycopg_dialect

from core.db.database import Folding
from core.db.schema import jobs
from core.jobs.filter import Category, JobFilter
from core.jobs.query import WHOLE, Slice, Wall, latest_log, select_part

BOM = b"\xef\xbb\xbf"

COLUMNS = (
    *("job_id", "type", "status", "is_prohibited", "created_at", "completed_at", "prompt", "reason"),
    *(category.column for category in Category),
)


def make_header(columns: Sequence[str]) -> bytes:
    """Make the first record. Names of columns are plain words, which need no quotes."""
    return ",".join(columns).encode() + b"\n"


HEADER = make_header(COLUMNS)

# Bytes. Large enough that the work for a block (a hash, a send) does not count, small enough to stay flat in memory.
BLOCK_SIZE = 128 * 1024

# Seconds. The server sends 8 KiB at a time; waking up for each would cost more than reading it. In this time it fills
# about the socket's buffer, and has not yet to wait.
ARRIVAL = 0.001

# What a spreadsheet may take for a formula when a cell begins with it (OWASP, "CSV Injection"), and the guard itself,
# so that taking one guard away always restores the text.
GUARD = "'"
GUARDED = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", GUARD)

# Every option is spelled out, so that none depends on a default.
_COPY: LiteralString = (
    "COPY ({}) TO STDOUT WITH (FORMAT csv, HEADER false, DELIMITER ',', NULL '', QUOTE '\"', ESCAPE '\"',"
    " ENCODING 'UTF8')"
)

_FIXED_WIDTH: ColumnElement[Any] = literal_column("""'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'""")


@dataclass(frozen=True, slots=True)
class Block:
    """Whole records of the CSV, as bytes, and how many they are."""

    data: bytes
    rows: int


_DIALECT: Dialect = psycopg_dialect.dialect()  # type: ignore[no-untyped-call]


def export_query(job_filter: JobFilter, wall: Wall, folding: Folding, part: Slice = WHOLE) -> Select[Any]:
    """Select the jobs, or a part of them, as the eleven columns of text, in the order of the export."""
    texts = {
        "job_id": jobs.c.job_id,
        "type": _guarded(jobs.c.type, job_filter),
        "status": _guarded(jobs.c.status, job_filter),
        "is_prohibited": cast(jobs.c.is_prohibited, Text),
        "created_at": instant(jobs.c.created_at),
        "completed_at": instant(jobs.c.completed_at),
        "prompt": _guarded(jobs.c.prompt, job_filter),
        "reason": _guarded(jobs.c.reason, job_filter),
        **{category.column: cast(latest_log.c[category.column], Text) for category in Category},
    }
    columns: list[ColumnElement[Any]] = [texts[name].label(name) for name in COLUMNS]
    return select_part(job_filter, wall, folding, columns, part)


async def copy_csv(connection: psycopg.AsyncConnection, query: Select[Any]) -> AsyncGenerator[Block]:
    """Run the query as a COPY and yield its records in blocks of about 128 KiB, without BOM and header.

    Talks to libpq directly: a coroutine step a row would cost more than the row. The connection can be used for
    nothing else until the last block was taken; whoever stops earlier closes it, which ends the statement.
    """
    pgconn = connection.pgconn
    pgconn.send_query(_COPY.format(render(connection, query)).encode())
    await _flush(pgconn)
    started = await _next_result(pgconn)
    if started is None or started.status != pq.ExecStatus.COPY_OUT:
        await _finish(pgconn, started)
        raise AssertionError("COPY … TO STDOUT gave no error and no data")
    rows: list[bytes | memoryview] = []
    size, is_drained = 0, True
    # Each message is one record (PostgreSQL's protocol, "COPY Operations": "always one per row").
    while True:
        length, row = pgconn.get_copy_data(1)
        if length > 0:
            rows.append(row)
            size += length
            is_drained = False
            if size >= BLOCK_SIZE:
                yield Block(b"".join(rows), len(rows))
                rows.clear()
                size = 0
        elif length == 0:
            # libpq takes 16 KiB at a time, and there may be more of what has arrived.
            if is_drained:
                await _readable(pgconn)
                await asyncio.sleep(ARRIVAL)
            pgconn.consume_input()
            is_drained = not is_drained
        else:
            break
    await _finish(pgconn, None)
    if rows:
        yield Block(b"".join(rows), len(rows))


def render(connection: psycopg.AsyncConnection, query: Select[Any]) -> str:
    """Write a query out with its parameters as literals, because COPY takes none."""
    compiled = query.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
    return psycopg.AsyncClientCursor(connection).mogrify(str(compiled), compiled.params)


def instant(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Write a time as text: UTC at fixed width. `to_char` obeys no setting of the session, unlike a cast to text."""
    return func.to_char(func.timezone("UTC", column), _FIXED_WIDTH)


def _guarded(column: ColumnElement[Any], job_filter: JobFilter) -> ColumnElement[Any]:
    return guarded(column) if job_filter.spreadsheet_safe else column


def guarded(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Put the guard before a text that a spreadsheet could take for a formula."""
    first = collate(func.left(column, 1), "C")
    return case((first.in_(GUARDED), func.concat(GUARD, column)), else_=column)


def write_aside(connection: psycopg.Connection, query: sql.Composed, file: BinaryIO) -> None:
    """Write the rows of a query to a file."""
    with connection.cursor() as cursor, cursor.copy(sql.SQL(_COPY).format(query)) as copy:
        file.writelines(copy)


def write_record(cells: Sequence[str], file: BinaryIO, raw: bytes = b"") -> None:
    """Write one record: cells, and behind them a record as it was found, whatever is wrong with it."""
    quoted = ('"' + cell.replace('"', '""') + '"' if set(cell) & set(',"\r\n') else cell for cell in cells)
    file.write(b",".join([*(cell.encode() for cell in quoted), *([raw] if raw else [])]) + b"\n")


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
