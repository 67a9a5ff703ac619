"""COPY out of libpq: rows of any length come whole, however the connection is made."""

import asyncio
import hashlib
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import pq
from pydantic import SecretStr

from core.csv import libpq
from core.csv.libpq import begin_copy, finish
from core.db.startup import open_databases
from core.settings import Settings
from tests.support.debian import find_programs, running_server
from tests.support.serving import free_port

# Bytes of a row: around what a server sends at once (8 KiB), what libpq reads at once (16), what a record of TLS holds
# (16, RFC 8446, 5.1), and what a socket holds; the last one ends what is sent.
LENGTHS = (1, 8_190, 8_192, 16_383, 16_384, 16_385, 24_570, 65_536, 300_000, 5, 3_000_000, 100_001)


@pytest.fixture(scope="module")
def tls_url() -> Iterator[str]:
    with running_server(find_programs("plpgsql"), locale="C.UTF-8", tls_port=free_port()) as url:
        yield url


def test_rows_of_any_length_come_whole_over_tls(tls_url: str) -> None:
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
            copy = await begin_copy(pgconn, statement)
            while True:
                length, row = pgconn.get_copy_data(1)
                if length > 0:
                    rows.append(bytes(row))
                elif length == 0:
                    await asyncio.wait_for(copy.take_in(), timeout=30)
                else:
                    break
            await finish(pgconn, None)
            return rows

    rows = asyncio.run(copy(tls_url))

    expected = [
        "".join(hashlib.md5(f"{n}{i}".encode(), usedforsecurity=False).hexdigest() for i in range(1, n // 32 + 2))
        for n in LENGTHS
    ]
    assert [row.decode() for row in rows] == [f"{text}\n" for text in expected] * 20


class Interrupted:
    """A connection whose process stops after each read, until the server has filled the socket anew."""

    def __init__(self, pgconn: pq.abc.PGconn) -> None:
        self._pgconn = pgconn
        self.taken_in = list[int]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pgconn, name)

    def consume_input(self) -> None:
        self._pgconn.consume_input()
        time.sleep(0.01)


async def take_in_interrupted(connection: psycopg.AsyncConnection, rows: int) -> list[int]:
    """Copy rows of 10 kB three times, and return how much of them was taken in at a time."""
    pgconn = Interrupted(connection.pgconn)
    for _ in range(3):
        pgconn.taken_in.append(0)
        copy = await begin_copy(pgconn, f"SELECT repeat('x', 10000) FROM generate_series(1, {rows})")  # type: ignore[arg-type]
        while (taken := pgconn.get_copy_data(1))[0] >= 0:
            if taken[0]:
                pgconn.taken_in[-1] += taken[0]
            else:
                pgconn.taken_in.append(0)
                await copy.take_in()
        await finish(pgconn, None)  # type: ignore[arg-type]
    assert sum(pgconn.taken_in) == 3 * rows * 10_001
    return pgconn.taken_in


def test_as_much_is_taken_in_as_a_socket_holds_and_no_more(database_url: str) -> None:
    """However quickly a server sends, and however often a reader is stopped meanwhile: libpq holds little of it.

    What it has once made room for it keeps, so that it counts for as long as the connection is there. Little at a time
    costs more than the rows.
    """

    async def of_export() -> list[int]:
        database = open_databases(Settings(database_url=SecretStr(database_url))).source
        async with await database.connect_for_export() as connection:
            return await take_in_interrupted(connection, 2_000)

    assert 60_000 < max(asyncio.run(of_export())) < 500_000


def test_several_records_of_tls_are_taken_in_for_each_wait(tls_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is only 8 KiB, which would cost a wait each; libpq holds little of them all the same."""
    waits = []

    async def wait(pgconn: pq.abc.PGconn) -> None:
        waits.append(pgconn)
        await readable(pgconn)

    readable = libpq._readable
    monkeypatch.setattr(libpq, "_readable", wait)

    async def over_tls() -> list[int]:
        async with await psycopg.AsyncConnection.connect(tls_url) as connection:
            return await take_in_interrupted(connection, 100)

    taken_in = asyncio.run(over_tls())

    assert max(taken_in) < 500_000
    assert 4 * len(waits) < len(taken_in)
