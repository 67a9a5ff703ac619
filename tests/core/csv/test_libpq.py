"""COPY out of libpq: rows of any length come whole, however the connection is made."""

import asyncio
import hashlib
import time
from typing import Any

import psycopg
from psycopg import pq

from core.csv.libpq import begin_copy, finish, take_in
from tests.support.debian import find_programs, running_server
from tests.support.serving import free_port

# Bytes of a row: around what a server sends at once (8 KiB), what libpq reads at once (16), what a record of TLS holds
# (16, RFC 8446, 5.1), and what a socket holds; the last one ends what is sent.
LENGTHS = (1, 8_190, 8_192, 16_383, 16_384, 16_385, 24_570, 65_536, 300_000, 5, 3_000_000, 100_001)


def test_rows_of_any_length_come_whole_over_tls() -> None:
    """What OpenSSL has read of the socket and libpq has not, nobody sees on the socket: it is not waited for."""
    # No compression, which a row of one letter would be all of.
    statement = f"""
        WITH one AS MATERIALIZED (
            SELECT place,
                (SELECT string_agg(md5(n::text || i::text), '') FROM generate_series(1, n / 32 + 1) AS i) AS row
            FROM unnest(ARRAY[{", ".join(map(str, LENGTHS))}]) WITH ORDINALITY AS length (n, place)
        )
        SELECT row FROM generate_series(1, 20) AS time CROSS JOIN one ORDER BY time, place
    """

    async def copy(url: str) -> list[bytes]:
        connection = await psycopg.AsyncConnection.connect(url)
        async with connection:
            pgconn = connection.pgconn
            assert pgconn.ssl_in_use
            rows = []
            await begin_copy(pgconn, statement)
            while True:
                length, row = pgconn.get_copy_data(1)
                if length > 0:
                    rows.append(bytes(row))
                elif length == 0:
                    await asyncio.wait_for(take_in(pgconn), timeout=30)
                else:
                    break
            await finish(pgconn, None)
            return rows

    with running_server(find_programs("plpgsql"), locale="C.UTF-8", tls_port=free_port()) as url:
        rows = asyncio.run(copy(url))

    expected = [
        "".join(hashlib.md5(f"{n}{i}".encode(), usedforsecurity=False).hexdigest() for i in range(1, n // 32 + 2))
        for n in LENGTHS
    ]
    assert [row.decode() for row in rows] == [f"{text}\n" for text in expected] * 20


class Interrupted:
    """A connection whose process stops after each read, until the server has filled the socket anew."""

    def __init__(self, pgconn: pq.abc.PGconn) -> None:
        self._pgconn = pgconn
        self.taken_in = [0]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pgconn, name)

    def consume_input(self) -> None:
        self._pgconn.consume_input()
        time.sleep(0.01)


def test_no_more_is_taken_in_than_a_socket_holds(database_url: str) -> None:
    """However quickly a server sends, and however often a reader is stopped meanwhile: libpq holds little of it.

    What it has once made room for it keeps, so that it counts for as long as the connection is there.
    """

    async def copy() -> list[int]:
        connection = await psycopg.AsyncConnection.connect(database_url)
        async with connection:
            pgconn = Interrupted(connection.pgconn)
            for _ in range(3):
                await begin_copy(pgconn, "SELECT repeat('x', 10_000) FROM generate_series(1, 2_000)")  # type: ignore[arg-type]
                while (taken := pgconn.get_copy_data(1))[0] >= 0:
                    if taken[0]:
                        pgconn.taken_in[-1] += taken[0]
                    else:
                        pgconn.taken_in.append(0)
                        await take_in(pgconn)  # type: ignore[arg-type]
                await finish(pgconn, None)  # type: ignore[arg-type]
            return pgconn.taken_in

    taken_in = asyncio.run(copy())

    assert sum(taken_in) == 3 * 2_000 * 10_001
    assert max(taken_in) < 1_000_000
