"""`COPY … TO STDOUT` by way of libpq: rows of a query as blocks of CSV, or as single records."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import Select

from core.characters import fit
from core.csv.format import make_dialect
from core.csv.libpq import begin_copy, finish
from core.db.topology import ONE_SERVER, Topology

# Bytes. Large enough that the work for a block (a hash, a send) does not count, small enough to stay flat in memory.
BLOCK_SIZE = 128 * 1024


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
    copy = await begin_copy(pgconn, render(connection, query, topology))
    # Copied at once: rows that are kept until there is a block cost half as much again.
    data, rows = bytearray(), 0
    take = pgconn.get_copy_data
    # Each message is one record (PostgreSQL's protocol, "COPY Operations": "always one per row").
    while True:
        length, row = take(1)
        if length > 0:
            data += row
            rows += 1
            if len(data) >= BLOCK_SIZE:
                yield Block(bytes(data), rows)
                data.clear()
                rows = 0
        elif length == 0:
            await copy.take_in()
        else:
            break
    await finish(pgconn, None)
    if rows:
        yield Block(bytes(data), rows)


async def copy_rows(connection: psycopg.AsyncConnection, statement: str) -> list[bytes]:
    """Run a statement as a COPY and return its records one by one, for who puts those of several servers in order.

    Who is cancelled meanwhile closes the connection, as with `copy_csv`.
    """
    pgconn = connection.pgconn
    copy = await begin_copy(pgconn, statement)
    rows = list[bytes]()
    take = pgconn.get_copy_data
    while True:
        length, row = take(1)
        if length > 0:
            # Copied, because what libpq lends is larger.
            rows.append(bytes(row))
        elif length == 0:
            await copy.take_in()
        else:
            break
    await finish(pgconn, None)
    return rows


def render(connection: psycopg.AsyncConnection, query: Select[Any], topology: Topology = ONE_SERVER) -> str:
    """Write a query out with its parameters as literals, because COPY takes none."""
    compiled = query.compile(dialect=make_dialect(topology), compile_kwargs={"render_postcompile": True})
    params = fit(compiled.params, connection.info.parameter_status("server_encoding"))
    return psycopg.AsyncClientCursor(connection).mogrify(str(compiled), params)
