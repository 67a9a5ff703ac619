"""An export on the wire, below the client: what becomes of it when a reader, the database or the server goes."""

import asyncio
import hashlib
import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from api.routes import Api
from core.db.databases import Databases
from core.settings import Settings
from tests.support.asgi import EXPORT, FakeReader, Then, ask, create_api, exchange, make_key, run
from tests.support.rows import insert_job, insert_large_jobs
from tests.support.waiting import slow_down_jobs, statements, terminate_exports, wait_for, wait_until_idle

# Bytes: far more than lies in the buffers of libpq and of sockets, so that the server is still at work when a test
# interferes.
JOBS, SIZE = 600, 20_000


@pytest.fixture
def large(connection: psycopg.Connection) -> None:
    insert_large_jobs(connection, JOBS, size=SIZE)


@pytest.fixture
def api(databases: Databases, settings: Settings) -> Api:
    """An API with one slot, so that an export after another shows that it was given back."""
    return create_api(databases, settings, fencepost_exports_per_client=1)


@pytest.fixture
def key(databases: Databases) -> str:
    return make_key(databases)


def ends(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    """Read how all exports have ended."""
    return connection.execute("SELECT status, sha256, finished_at IS NOT NULL FROM exports").fetchall()


INTERRUPTED = [("interrupted", None, True)]
FAILED = [("failed", None, True)]


async def wait_in_loop(find: Callable[[], Any], what: str) -> None:
    """Wait while the loop goes on."""
    await asyncio.to_thread(wait_for, find, what)


@pytest.mark.usefixtures("large")
def test_reader_that_reads_on_gets_what_the_receipt_says(api: Api, key: str, connection: psycopg.Connection) -> None:
    """A complete body ends after its receipt was committed with its rows, bytes and hash."""
    answer = ask(api, EXPORT, key)

    receipt = connection.execute("SELECT status, rows, bytes, sha256 FROM exports").fetchone()
    assert answer.complete
    assert receipt == ("complete", JOBS, len(answer.body), hashlib.sha256(answer.body).hexdigest())


@pytest.mark.usefixtures("large")
def test_body_goes_out_in_blocks_of_whole_records(api: Api, key: str) -> None:
    """No message holds much more than 128 KiB, however large the export; each ends with the end of a record."""
    reader = run(exchange(api, FakeReader(EXPORT, key)))

    *blocks, last = [message["body"] for message in reader.messages[1:]]
    assert last == b""
    assert max(map(len, blocks)) < 128 * 1024 + SIZE + 200
    assert {block[-1:] for block in blocks} == {b"\n"}


@pytest.mark.parametrize("reads", [0, 1, 1_000_000])
@pytest.mark.parametrize("then", [Then.LEAVE, Then.STALL, Then.BREAK])
@pytest.mark.usefixtures("large")
def test_reader_that_goes_interrupts_its_export(
    databases: Databases, settings: Settings, connection: psycopg.Connection, key: str, reads: int, then: Then
) -> None:
    """Whether it leaves, stops reading or breaks: the receipt says so, and the server works on nothing any more."""
    api = create_api(databases, settings, fencepost_send_timeout=0.2, fencepost_exports_per_client=1)

    reader = run(exchange(api, FakeReader(EXPORT, key, reads=reads, then=then)))

    assert not reader.answer.complete
    assert ends(connection) == INTERRUPTED
    wait_until_idle(connection)
    assert ask(api, EXPORT, key).complete


@pytest.mark.usefixtures("large")
def test_interrupted_receipt_counts_what_was_sent(api: Api, key: str, connection: psycopg.Connection) -> None:
    """Rows and bytes of a cut export are those of whole records that were on their way when the reader left."""
    reader = run(exchange(api, FakeReader(EXPORT, key, reads=1_000_000, then=Then.LEAVE)))

    sent = reader.answer.body
    assert connection.execute("SELECT status, rows, bytes FROM exports").fetchone() == (
        "interrupted",
        sent.count(b"\n") - 1,
        len(sent),
    )


def test_reader_that_stalls_at_the_end_gives_its_slot_back(
    databases: Databases, settings: Settings, connection: psycopg.Connection, key: str
) -> None:
    """The time limit holds for the end of the body, too; the receipt is complete, as the bytes were."""
    api = create_api(databases, settings, fencepost_send_timeout=0.2, fencepost_exports_per_client=1)
    length = len(ask(api, EXPORT, key).body)

    reader = run(exchange(api, FakeReader(EXPORT, key, reads=length, then=Then.STALL)))

    assert not reader.answer.complete
    assert connection.execute("SELECT status FROM exports").fetchall() == [("complete",), ("complete",)]
    assert ask(api, EXPORT, key).complete


@pytest.mark.usefixtures("large")
def test_backend_that_dies_cuts_the_body(api: Api, key: str, connection: psycopg.Connection) -> None:
    """When the database goes after the first block, the body gets no end and no error text, and we failed."""
    killed: list[bool] = []

    def kill_once() -> None:
        if not killed:
            terminate_exports(connection)
            killed.append(True)

    reader = run(exchange(api, FakeReader(EXPORT, key, on_block=kill_once)))

    assert reader.answer.status == 200
    assert {message["type"] for message in reader.messages[1:]} == {"http.response.body"}
    assert all(message["more_body"] for message in reader.messages[1:])
    assert reader.answer.body.endswith(b"\n")
    assert reader.answer.body.startswith(b"\xef\xbb\xbfjob_id,")
    assert ends(connection) == FAILED
    assert ask(api, EXPORT, key).complete


@pytest.mark.usefixtures("large")
def test_receipt_that_somebody_closed_cuts_the_body(
    api: Api, key: str, connection: psycopg.Connection, databases: Databases
) -> None:
    """An export whose receipt was closed as lost does not end as if it were complete."""

    def close() -> None:
        connection.execute("UPDATE exports SET status = 'failed', finished_at = now()")

    reader = run(exchange(api, FakeReader(EXPORT, key, on_block=close)))

    assert not reader.answer.complete
    assert ends(connection) == FAILED


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("cancellations", [1, 2])
def test_export_that_the_server_cancels_has_failed(
    api: Api, key: str, connection: psycopg.Connection, cancellations: int
) -> None:
    """A server that shuts down cancels its requests, some more than once: it is we who failed, not the reader."""

    async def shut_down() -> None:
        reader = FakeReader(EXPORT, key, reads=200_000, then=Then.STALL)
        request = asyncio.create_task(exchange(api, reader))
        await reader.stalled.wait()
        for _ in range(cancellations):
            request.cancel()
            await asyncio.sleep(0)
        await request
        assert not reader.answer.complete

    run(shut_down())

    assert ends(connection) == FAILED
    wait_until_idle(connection)
    assert ask(api, EXPORT, key).complete


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("turns", range(4))
def test_export_that_runs_when_the_loop_ends_has_failed(
    api: Api, key: str, connection: psycopg.Connection, turns: int
) -> None:
    """The end of an export is recorded even when the loop ends right after the server has cancelled its request."""

    async def shut_down_at_once() -> None:
        reader = FakeReader(EXPORT, key, reads=200_000, then=Then.STALL)
        request = asyncio.create_task(exchange(api, reader))
        await reader.stalled.wait()
        request.cancel()
        for _ in range(turns):
            await asyncio.sleep(0)

    run(shut_down_at_once())

    assert ends(connection) == FAILED
    wait_until_idle(connection)


@pytest.mark.parametrize("headers", [[], [("prefer", "count=exact")]], ids=["export", "count"])
def test_reader_that_leaves_before_the_first_byte_ends_the_statement(
    api: Api, key: str, connection: psycopg.Connection, headers: list[tuple[str, str]]
) -> None:
    """A statement that has nothing to say yet ends with its reader, not when it is done."""
    insert_job(connection)
    slow_down_jobs(connection)

    async def leave() -> FakeReader:
        reader = FakeReader(EXPORT, key, headers=headers)
        request = asyncio.create_task(exchange(api, reader))
        await wait_in_loop(lambda: statements(connection), "the statement")
        reader.leave()
        return await request

    reader = run(leave())

    assert reader.messages == []
    assert ends(connection) == INTERRUPTED
    wait_until_idle(connection)


def test_export_that_takes_too_long_to_begin_is_503(
    databases: Databases, settings: Settings, connection: psycopg.Connection
) -> None:
    """An export whose first row does not come in time says so, says what to do, and leaves no statement behind."""
    insert_large_jobs(connection, 1, size=1)
    slow_down_jobs(connection)
    api = create_api(databases, settings, fencepost_first_byte_timeout=0.2)

    answer = ask(api, EXPORT, make_key(databases))

    assert (answer.status, answer.headers["retry-after"], json.loads(answer.body)) == (
        503,
        "5",
        {
            "error": "UNAVAILABLE",
            "message": "The export did not begin within 0.2 seconds: choose fewer days.",
            "statusCode": 503,
        },
    )
    assert connection.execute("SELECT status FROM exports").fetchall() == [("failed",)]
    wait_until_idle(connection)


def test_reader_that_leaves_while_the_table_is_locked_ends_the_statement(
    api: Api, key: str, connection: psycopg.Connection, database_url: str
) -> None:
    """A statement that waits for a lock ends with its reader."""

    async def leave() -> FakeReader:
        reader = FakeReader(EXPORT, key)
        request = asyncio.create_task(exchange(api, reader))
        await wait_in_loop(lambda: statements(connection), "the statement")
        reader.leave()
        return await request

    with psycopg.connect(database_url) as locking:
        locking.execute("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE")
        reader = run(leave())

        assert reader.messages == []
        assert ends(connection) == INTERRUPTED
        wait_until_idle(connection)


def test_reader_that_leaves_while_the_receipt_is_written_interrupts_its_export(
    api: Api, key: str, connection: psycopg.Connection, database_url: str
) -> None:
    """A receipt that is committed after its reader has left does not stay as if the export were running."""

    def waiting() -> Any:
        return connection.execute(
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ '^(UPDATE|INSERT INTO) exports'"
        ).fetchone()

    async def leave() -> FakeReader:
        with psycopg.connect(database_url) as locking:
            locking.execute("LOCK TABLE exports IN ACCESS EXCLUSIVE MODE")
            reader = FakeReader(EXPORT, key)
            request = asyncio.create_task(exchange(api, reader))
            await wait_in_loop(waiting, "the receipt")
            reader.leave()
            await asyncio.sleep(0.05)
        return await request

    reader = run(leave())

    assert reader.messages == []
    assert ends(connection) == INTERRUPTED


@pytest.mark.usefixtures("large")
def test_reader_that_waits_long_between_blocks_keeps_its_export(
    api: Api, key: str, connection: psycopg.Connection
) -> None:
    """A slow reader within its time limit gets everything, from the snapshot of the beginning."""

    def write() -> None:
        connection.execute("UPDATE jobs SET status = 'failed' WHERE status = 'completed'")

    reader = run(exchange(api, FakeReader(EXPORT, key, on_block=write)))

    assert reader.answer.complete
    assert reader.answer.body.count(b",completed,") == JOBS


def test_count_is_of_the_snapshot_of_the_rows(api: Api, key: str, connection: psycopg.Connection) -> None:
    """`X-Total-Count` and the rows are of one snapshot, though jobs are written in between."""
    insert_large_jobs(connection, JOBS, size=SIZE)

    answer = ask(
        api,
        EXPORT,
        key,
        headers=[("prefer", "respond-async, Count=Exact;x=1")],
        on_block=lambda: insert_large_jobs(connection, 1, size=1),
    )

    assert answer.headers["x-total-count"] == str(JOBS)
    assert answer.body.count(b"\n") == JOBS + 1
