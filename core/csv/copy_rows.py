"""`COPY … TO STDOUT` as single records, for those that come from several servers and are put in order here."""

import asyncio

import psycopg
from psycopg import pq

from core.csv.copy_out import ARRIVAL, _finish, _flush, _next_result, _readable
from core.csv.format import _COPY


async def copy_rows(connection: psycopg.AsyncConnection, statement: str) -> list[bytes]:
    """Run a statement as a COPY and return its records.

    Who is cancelled meanwhile closes the connection, as with `copy_csv`.
    """
    pgconn = connection.pgconn
    pgconn.send_query(_COPY.format(statement).encode())
    await _flush(pgconn)
    started = await _next_result(pgconn)
    if started is None or started.status != pq.ExecStatus.COPY_OUT:
        await _finish(pgconn, started)
        raise AssertionError("the COPY gave no error and no data")
    rows, is_drained = list[bytes](), True
    take = pgconn.get_copy_data
    while True:
        length, row = take(1)
        if length > 0:
            # Copied, because what libpq lends is larger.
            rows.append(bytes(row))
            is_drained = False
        elif length == 0:
            if is_drained:
                await _readable(pgconn)
                await asyncio.sleep(ARRIVAL)
            pgconn.consume_input()
            is_drained = not is_drained
        else:
            break
    await _finish(pgconn, None)
    return rows
