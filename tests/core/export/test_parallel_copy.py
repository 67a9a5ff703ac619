"""Several connections, one snapshot, one order: whatever N, the same bytes."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.actor import COMMAND_LINE
from core.csv.copy_out import BLOCK_SIZE, Block
from core.db.databases import Databases
from core.errors import DatabaseUnavailable
from core.export import parallel_copy, time_slices
from core.export.export import Export, Reader, start_export
from core.export.parallel_copy import READ_AHEAD, ParallelCopy
from core.export.receipts import Via
from core.jobs.access import make_access
from core.jobs.filter import DateRange, JobFilter
from core.jobs.wall import Wall
from tests.support.documents import april, export_document
from tests.support.examples import examples
from tests.support.rows import NOON, insert_job, insert_large_jobs, insert_log
from tests.support.waiting import statements, wait_for, wait_until_idle

JOBS = 300


# Counting a few hundred of these takes longer than a millisecond.
WITHOUT_INDEX = """
    ALTER TABLE jobs RENAME TO stored_jobs;
    CREATE VIEW jobs AS
        SELECT stored_jobs.* FROM stored_jobs,
            LATERAL (SELECT pg_sleep(0.001) WHERE stored_jobs.job_id IS NOT NULL OFFSET 0) AS slept;
"""


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let few jobs make many slices."""
    monkeypatch.setattr(parallel_copy, "FIRST_JOBS", 7)
    monkeypatch.setattr(time_slices, "SLICE_SIZE", 50_000)


@pytest.fixture
def large_slices(monkeypatch: pytest.MonkeyPatch, connection: psycopg.Connection) -> None:
    """Jobs of a megabyte, 40 to a slice: more than all buffers between server and reader hold."""
    monkeypatch.setattr(parallel_copy, "FIRST_JOBS", 10)
    monkeypatch.setattr(time_slices, "SLICE_SIZE", 40_000_000)
    insert_large_jobs(connection, 120, size=1_000_000)


@pytest.fixture
def varied(connection: psycopg.Connection) -> None:
    """Jobs of which many share a time, some have long prompts, and some have no log or two."""
    rng = random.Random(3)
    for number in range(JOBS):
        job_id = insert_job(
            connection,
            job_id=UUID(int=rng.getrandbits(128)),
            client_id=rng.choice(["acme", "globex"]),
            is_prohibited=rng.choice([True, False, None]),
            created_at=NOON + timedelta(microseconds=rng.choice([0, 1, 1_000_000, number * 86_400_000])),
            prompt=rng.choice(["a, b", None, "", 'say "hello"\n', "x" * 50_000]),
        )
        for _ in range(rng.choice([0, 1, 1, 2])):
            insert_log(connection, job_id, category_nsfw=rng.choice([True, False, None]))


moments = st.sampled_from([NOON, NOON + timedelta(microseconds=1), NOON + timedelta(seconds=1)]) | st.datetimes(
    datetime(2026, 4, 14), datetime(2026, 4, 16), timezones=st.just(UTC)
)


@pytest.mark.usefixtures("small_slices", "varied")
@examples(15)
@given(
    bounds=st.tuples(moments, moments).map(sorted),
    workers=st.integers(2, 5),
    further=st.sampled_from([{}, {"decision": "reject"}, {"client_id": "acme"}, {"category": "nsfw"}, {"q": "hello"}]),
)
def test_any_number_of_workers_gives_the_same_bytes(
    databases: Databases, bounds: list[datetime], workers: int, further: dict[str, str]
) -> None:
    """Over any range and filter, whatever stands at the edges of slices, N connections give what one gives."""
    span = JobFilter(range=DateRange(*bounds)).to_params()
    job_filter = JobFilter.from_params((span | further).items())

    assert export_document(databases, job_filter, workers=workers) == export_document(databases, job_filter, workers=1)


@pytest.mark.usefixtures("small_slices")
def test_all_jobs_of_one_moment_are_one_slice(databases: Databases, connection: psycopg.Connection) -> None:
    """Slices end between moments: jobs of a single created_at go out together, all of them."""
    for number in range(100):
        insert_job(connection, job_id=UUID(int=number), prompt="x" * 1000)

    document = export_document(databases, april(), workers=4)

    assert document == export_document(databases, april(), workers=1)
    assert document.count(b"\n") == 101


@pytest.mark.usefixtures("small_slices", "varied")
def test_without_an_index_everything_is_one_slice(
    databases: Databases, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where finding the end of a slice is slow, nothing is cut, and the bytes are the same."""
    connection.execute(WITHOUT_INDEX)
    monkeypatch.setattr(parallel_copy, "MOST_CUT", 1)

    assert export_document(databases, april(), workers=3) == export_document(databases, april(), workers=1)


@pytest.mark.usefixtures("small_slices", "varied")
def test_a_refused_snapshot_leaves_the_work_to_the_leader(databases: Databases) -> None:
    """Followers that cannot import the snapshot leave; the leader copies everything."""

    async def copy(snapshot: str | None) -> bytes:
        leader = await databases.source.connect_for_export()
        try:
            access = await asyncio.to_thread(make_access, databases, Wall(None))
            blocks = ParallelCopy(
                databases.source,
                leader,
                snapshot,
                workers=3,
                job_filter=april(),
                access=access,
            ).blocks()
            return b"".join([block.data async for block in blocks])
        finally:
            await leader.close()

    refused = asyncio.run(copy("00000000-00000000-1"))

    assert refused == asyncio.run(copy(None))
    assert refused.count(b"completed") == JOBS


def test_blocks_are_large_but_for_the_first_and_the_last(databases: Databases, connection: psycopg.Connection) -> None:
    """The first block comes with the first slice, the others are put together to 128 KiB, whole records each."""
    insert_large_jobs(connection, 4000, size=700)

    blocks = read_blocks(databases)

    assert sum(block.rows for block in blocks) == 4000
    assert all(len(block.data) >= BLOCK_SIZE for block in blocks[1:-1])
    assert all(block.data.endswith(b"\n") for block in blocks)


@pytest.mark.usefixtures("large_slices")
def test_a_reader_that_stops_stops_the_server(databases: Databases, connection: psycopg.Connection) -> None:
    """Read-ahead is bounded over all slices together: the rest waits in the server, however large its rows are."""
    sent = []

    async def read_one() -> None:
        async with start(databases, workers=3) as export, aclosing(export.stream()) as blocks:
            sent.append(len(await anext(blocks)))
            await asyncio.to_thread(wait_for, lambda: waiting_to_write(connection) >= 2, "the server to wait")
            in_flight = sum(1 for _ in statements(connection))
            assert in_flight <= 3

    asyncio.run(read_one())

    assert sent[0] < READ_AHEAD
    wait_until_idle(connection)


@pytest.mark.usefixtures("small_slices")
def test_a_reader_that_leaves_ends_all_statements(databases: Databases, connection: psycopg.Connection) -> None:
    """Every connection is given back, and nothing of the export is left on the server."""
    insert_large_jobs(connection, 500, size=100_000)

    async def leave() -> None:
        async with start(databases, workers=4) as export, aclosing(export.stream()) as blocks:
            await anext(blocks)

    asyncio.run(leave())

    wait_until_idle(connection)
    wait_for(lambda: not export_sessions(connection), "the end of all sessions")


@pytest.mark.usefixtures("small_slices")
def test_exports_at_once_share_the_connections_of_one(
    databases: Databases, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second export takes the place of the first one's follower; when it is over, the first gets help again."""
    # Three jobs each: what an export does is looked at between its blocks, and it changes between slices.
    monkeypatch.setattr(time_slices, "SLICE_SIZE", 300_000)
    insert_large_jobs(connection, 600, size=100_000)

    body: list[bytes] = []

    async def read_until(blocks: AsyncGenerator[bytes], condition: Callable[[set[int]], bool]) -> None:
        """Read on until the sessions of exports are as they should be."""
        while not condition(await asyncio.to_thread(export_sessions, connection)):
            body.append(await anext(blocks))

    async def read_all() -> None:
        async with start(databases, workers=2) as first, aclosing(first.stream()) as blocks:
            await read_until(blocks, lambda sessions: len(sessions) == 2)
            async with start(databases, workers=2) as second, aclosing(second.stream()) as others:
                await anext(others)
                await read_until(blocks, lambda sessions: len(sessions) == 2)
                meanwhile = export_sessions(connection)
            await read_until(blocks, lambda sessions: len(sessions - meanwhile) == 1)
            body.extend([block async for block in blocks])

    asyncio.run(read_all())

    assert b"".join(body) == export_document(databases, april(), workers=1)


@pytest.mark.usefixtures("large_slices")
def test_a_follower_that_dies_cuts_the_export(databases: Databases, connection: psycopg.Connection) -> None:
    """A connection that is lost in the middle makes the export fail; it never goes on without its slice."""

    async def read_all() -> int:
        size = 0
        async with start(databases, workers=3) as export, aclosing(export.stream()) as blocks:
            size += len(await anext(blocks))
            await asyncio.to_thread(wait_for, lambda: len(statements(connection)) >= 2, "a follower")
            connection.execute("SELECT pg_terminate_backend(%s)", (max(statements(connection)),))
            async for block in blocks:
                size += len(block)
        return size

    with pytest.raises(DatabaseUnavailable):
        asyncio.run(read_all())

    assert connection.execute("SELECT status FROM exports").fetchall() == [("failed",)]
    wait_until_idle(connection)


def start(databases: Databases, *, workers: int) -> AbstractAsyncContextManager[Export]:
    return start_export(
        databases,
        april(),
        COMMAND_LINE,
        via=Via.CLI,
        reader=Reader(),
        first_byte_timeout=50,
        workers=workers,
    )


def read_blocks(databases: Databases) -> list[Block]:
    async def read() -> list[Block]:
        leader = await databases.source.connect_for_export()
        try:
            row = await (await leader.execute("SELECT pg_export_snapshot()")).fetchone()
            assert row is not None
            copy = ParallelCopy(
                databases.source,
                leader,
                row[0],
                workers=2,
                job_filter=april(),
                access=await asyncio.to_thread(make_access, databases, Wall(None)),
            )
            return [block async for block in copy.blocks()]
        finally:
            await leader.close()

    return asyncio.run(read())


def waiting_to_write(connection: psycopg.Connection) -> int:
    return len(_find(connection, "wait_event = 'ClientWrite'"))


def export_sessions(connection: psycopg.Connection) -> set[int]:
    """Return the process ids of the sessions that export, or have until now."""
    return _find(connection, "query ~ '^COPY|SNAPSHOT|OFFSET'")


def _find(connection: psycopg.Connection, condition: str) -> set[int]:
    query = (
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        f" AND {condition}"
    )
    return {pid for (pid,) in connection.execute(query)}
