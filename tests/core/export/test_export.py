"""Exports: one snapshot, a receipt before the first byte, and a true ending whatever happens."""

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from core.actor import Actor, Scope
from core.csv.copy_out import BLOCK_SIZE
from core.db.databases import Databases
from core.errors import DatabaseUnavailable, ExportCut, ExportTooSlow
from core.export.export import Export, Reader, start_export
from core.export.receipts import Via
from core.jobs.filter import JobFilter
from core.jobs.wall import Wall
from tests.support.changed_tables import CHANGED_TABLES, change_while_waiting
from tests.support.documents import APRIL, HEADER, april, export_document, read_records
from tests.support.rows import NOON, insert_job, insert_log
from tests.support.waiting import wait_for

# More than the buffers of a socket hold, so that the server is in the middle when a slow reader has its first blocks.
MANY_JOBS = """
    INSERT INTO jobs (job_id, client_id, type, status, is_prohibited, created_at, prompt)
    SELECT lpad(to_hex(n), 32, '0')::uuid, 'acme', 'prompt', 'completed', false,
        '2026-04-15T12:00:00Z'::timestamptz + n * interval '1 second', repeat('x', 2000)
    FROM generate_series(1, 10000) AS n
"""

# Each row takes its time, so that a whole export would take hours.
SLOW_JOBS = """
    ALTER TABLE jobs RENAME TO stored_jobs;
    CREATE VIEW jobs AS SELECT stored_jobs.* FROM stored_jobs, LATERAL (
        SELECT pg_sleep(CASE WHEN job_id > '00000000-0000-0000-0000-000000000fff' THEN 3600 ELSE 0 END)
        WHERE stored_jobs.job_id IS NOT NULL OFFSET 0
    ) AS slept;
"""


class Refused(Exception):
    """Something that a door runs into, and that is no error of ours."""


@asynccontextmanager
async def start(
    databases: Databases,
    job_filter: JobFilter,
    *,
    wall: Wall | None = None,
    reader: Reader | None = None,
    with_total: bool = False,
    first_byte_timeout: float = 50,
) -> AsyncIterator[Export]:
    started = start_export(
        databases,
        job_filter,
        Actor("key:abc", wall or Wall(None), frozenset(Scope)),
        via=Via.API,
        reader=reader or Reader(),
        with_total=with_total,
        first_byte_timeout=first_byte_timeout,
        workers=2,
    )
    async with started as running:
        yield running


def only_receipt(connection: psycopg.Connection) -> dict[str, Any]:
    """Return the only row of `exports`."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute("SELECT * FROM exports").fetchall()
    assert len(rows) == 1
    return rows[0]


def ending(connection: psycopg.Connection) -> dict[str, Any]:
    """Return how the only export ended."""
    receipt = only_receipt(connection)
    assert (receipt["finished_at"] is None) == (receipt["status"] == "running")
    return {name: receipt[name] for name in ("status", "rows", "bytes", "sha256")}


def copies(connection: psycopg.Connection) -> int:
    """Count the connections of exports: those whose last statement was a COPY or is about to be."""
    query = """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
            AND (query LIKE 'COPY%' OR query LIKE '%clock_timestamp%')
    """
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def sleeping(connection: psycopg.Connection) -> int:
    """Count the statements that stand at a slow job."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def test_an_export_is_one_snapshot(databases: Databases, connection: psycopg.Connection) -> None:
    """Rows that are written, changed and deleted while a slow reader reads do not show, nor do their logs."""
    connection.execute(MANY_JOBS)
    insert_log(connection, UUID(int=0x1F00), category_underage=True)
    before = export_document(databases, april())

    async def read_slowly() -> tuple[bytes, int | None]:
        async with start(databases, april(), with_total=True) as running, aclosing(running.stream()) as blocks:
            first = await anext(blocks)
            connection.execute("UPDATE jobs SET prompt = 'changed', created_at = created_at + interval '1 day'")
            connection.execute("DELETE FROM jobs WHERE job_id > '00000000-0000-0000-0000-000000001000'")
            insert_job(connection, created_at=NOON + timedelta(hours=1))
            insert_log(connection, UUID(int=0x500), category_nsfw=True)
            connection.execute("DELETE FROM moderation_logs WHERE category_underage")
            return first + b"".join([block async for block in blocks]), running.total

    document, total = asyncio.run(read_slowly())

    assert document == before
    assert total == len(read_records(before)) == 10000


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("change", CHANGED_TABLES.values(), ids=CHANGED_TABLES)
def test_an_export_that_waits_for_a_table_leaves_nothing_out(
    databases: Databases, connection: psycopg.Connection, change: str, workers: int
) -> None:
    """Rows that move to another table once the snapshot is taken are exported from there, and never left out."""
    insert_log(connection, insert_job(connection, created_at=NOON), category_nsfw=True)
    insert_log(connection, insert_job(connection, created_at=NOON - timedelta(days=10)), category_underage=True)
    exported: list[bytes] = []

    change_while_waiting(
        connection, databases, change, lambda: exported.append(export_document(databases, april(), workers=workers))
    )

    assert exported == [export_document(databases, april())]
    assert read_records(exported[0])


def test_the_receipt_is_committed_before_the_first_byte(databases: Databases, connection: psycopg.Connection) -> None:
    """When an export has started, and before it is read, everybody can see its receipt with the snapshot's time."""
    insert_job(connection)

    async def start_only() -> tuple[Export, dict[str, Any]]:
        async with start(databases, april(q="prompt", spreadsheet_safe="false"), wall=Wall("acme")) as running:
            return running, only_receipt(connection)

    before = datetime.now().astimezone()
    running, receipt = asyncio.run(start_only())
    after = datetime.now().astimezone()

    assert (
        before - timedelta(minutes=1) < receipt["started_at"] <= receipt["snapshot_at"] < after + timedelta(minutes=1)
    )
    assert receipt == {
        "export_id": running.export_id,
        "requested_by": "key:abc",
        "via": "api",
        "client_id": "acme",
        "clients": None,
        "filter": APRIL | {"q": "prompt"},
        "snapshot": None,
        "snapshot_at": receipt["snapshot_at"],
        "started_at": receipt["started_at"],
        "heartbeat_at": receipt["heartbeat_at"],
        "finished_at": None,
        "status": "running",
        "rows": 0,
        "bytes": 0,
        "sha256": None,
    }


def test_no_row_no_export(databases: Databases, connection: psycopg.Connection) -> None:
    """Where the receipt cannot be written, nothing is exported."""
    connection.execute("ALTER TABLE exports RENAME TO elsewhere")

    with pytest.raises(DatabaseUnavailable) as caught:
        export_document(databases, april())

    assert str(caught.value) == (
        "DATABASE_URL lacks a table or column that Fencepost needs: run `python -m core migrate`."
    )
    assert copies(connection) == 0


def test_an_export_that_was_read_to_its_end_is_complete(databases: Databases, connection: psycopg.Connection) -> None:
    """The receipt of a complete export has its records, its bytes with the BOM, and their SHA-256."""
    connection.execute(MANY_JOBS)

    document = export_document(databases, april())

    assert ending(connection) == {
        "status": "complete",
        "rows": 10000,
        "bytes": len(document),
        "sha256": hashlib.sha256(document).hexdigest(),
    }
    wait_for(lambda: copies(connection) == 0, "the end of the statement")


def test_an_empty_export_is_complete_too(databases: Databases, connection: psycopg.Connection) -> None:
    """BOM and header are an export of no records."""
    document = export_document(databases, april())

    assert document == HEADER
    assert ending(connection) == {
        "status": "complete",
        "rows": 0,
        "bytes": len(HEADER),
        "sha256": hashlib.sha256(HEADER).hexdigest(),
    }


def test_the_receipt_is_complete_before_the_stream_ends(databases: Databases, connection: psycopg.Connection) -> None:
    """Whoever has seen the end of the stream finds a complete receipt, so a kept file is never without one."""
    insert_job(connection)

    async def read_to_the_end() -> str:
        async with start(databases, april()) as running:
            async for _ in running.stream():
                assert ending(connection)["status"] == "running"
            return str(ending(connection)["status"])

    assert asyncio.run(read_to_the_end()) == "complete"


def read_and_leave(databases: Databases, reader: Reader, *, gone: bool, raises: bool) -> bytes:
    """Read three blocks of an export and leave it."""

    async def read() -> bytes:
        read = b""
        async with start(databases, april(), reader=reader) as running, aclosing(running.stream()) as blocks:
            for _ in range(3):
                read += await anext(blocks)
            reader.gone = gone
            if raises:
                raise Refused(read)
        return read

    try:
        return asyncio.run(read())
    except Refused as refused:
        return bytes(refused.args[0])


@pytest.mark.parametrize("raises", [False, True])
@pytest.mark.parametrize(("gone", "status"), [(True, "interrupted"), (False, "failed")])
def test_an_export_that_was_left_says_whose_fault_it_was(
    databases: Databases, connection: psycopg.Connection, gone: bool, raises: bool, status: str
) -> None:
    """`interrupted` where the reader is gone, `failed` where it is not; with what was handed over, without a hash."""
    connection.execute(MANY_JOBS)

    read = read_and_leave(databases, Reader(), gone=gone, raises=raises)

    assert len(read) > 3 * BLOCK_SIZE
    assert ending(connection) == {"status": status, "rows": read.count(b"\n") - 1, "bytes": len(read), "sha256": None}


def test_nothing_stays_on_the_server_when_the_reader_leaves(
    databases: Databases, connection: psycopg.Connection
) -> None:
    """The connection is given back and its statement ends, though it would have run for hours."""
    connection.execute(MANY_JOBS)
    connection.execute(SLOW_JOBS)

    read_and_leave(databases, Reader(), gone=True, raises=False)

    wait_for(lambda: copies(connection) == 0, "the end of the statement")


def test_a_cancelled_export_is_closed(databases: Databases, connection: psycopg.Connection) -> None:
    """A task that is cancelled while it waits for the server leaves neither a running receipt nor a statement."""
    connection.execute(MANY_JOBS)
    connection.execute(SLOW_JOBS)
    reader = Reader()

    async def read_for_ever() -> None:
        async with start(databases, april(), reader=reader) as running, aclosing(running.stream()) as blocks:
            try:
                async for _ in blocks:
                    pass
            except asyncio.CancelledError:
                reader.gone = True
                raise

    async def cancel_in_the_middle() -> bool:
        task = asyncio.create_task(read_for_ever())
        await asyncio.to_thread(wait_for, lambda: sleeping(connection), "a job that takes its time")
        task.cancel()
        await asyncio.wait({task})
        return task.cancelled()

    assert asyncio.run(cancel_in_the_middle())
    assert ending(connection)["status"] == "interrupted"
    wait_for(lambda: copies(connection) == 0, "the end of the statement")


def test_an_export_that_is_cancelled_while_its_receipt_is_written_is_closed(
    databases: Databases, database_url: str, connection: psycopg.Connection
) -> None:
    """A receipt that is committed after the task was cancelled does not stay `running`."""

    async def cancel_while_waiting(other: psycopg.Connection) -> bool:
        task = asyncio.create_task(read_nothing(databases, with_total=False))
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE query ~ '^(UPDATE|INSERT INTO) exports' AND state = 'active'"
        )
        await asyncio.to_thread(wait_for, lambda: connection.execute(waiting).fetchone() == (1,), "the receipt")
        task.cancel()
        await asyncio.sleep(0)
        other.rollback()
        await asyncio.wait({task})
        return task.cancelled()

    with psycopg.connect(database_url) as other:
        other.execute("LOCK TABLE exports")
        cancelled = asyncio.run(cancel_while_waiting(other))

    assert cancelled
    assert ending(connection) == {"status": "failed", "rows": 0, "bytes": 0, "sha256": None}


def test_an_export_that_does_not_begin_in_time_is_refused(databases: Databases, connection: psycopg.Connection) -> None:
    """Without a first record within the limit there is `ExportTooSlow`, a failed receipt, and nothing on the server."""
    insert_job(connection, job_id=UUID(int=0x1000))
    connection.execute(SLOW_JOBS)

    with pytest.raises(ExportTooSlow) as caught:
        asyncio.run(read_nothing(databases, with_total=False))

    assert str(caught.value) == "The export did not begin within 0.5 seconds: choose fewer days."
    assert ending(connection) == {"status": "failed", "rows": 0, "bytes": 0, "sha256": None}
    wait_for(lambda: copies(connection) == 0, "the end of the statement")


def test_a_count_that_takes_too_long_is_refused(databases: Databases, connection: psycopg.Connection) -> None:
    """Counting the records beforehand is part of the wait for the first one."""
    insert_job(connection, job_id=UUID(int=0x1000))
    connection.execute(SLOW_JOBS)

    with pytest.raises(ExportTooSlow):
        asyncio.run(read_nothing(databases, with_total=True))

    assert ending(connection)["status"] == "failed"
    active = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%count(%'"
    idle = f"{active} AND pid <> pg_backend_pid()"
    wait_for(lambda: connection.execute(idle).fetchone() == (0,), "the end of the count")


def test_a_locked_table_is_waited_for_no_longer_than_that(
    databases: Databases, database_url: str, connection: psycopg.Connection
) -> None:
    """Where a migration of the source holds a lock, the export says so in time, and waits for no lock afterwards."""
    with psycopg.connect(database_url) as other:
        other.execute("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE")

        with pytest.raises(ExportTooSlow):
            asyncio.run(read_nothing(databases, with_total=False))

        wait_for(lambda: copies(connection) == 0, "the end of the statement")
    assert ending(connection)["status"] == "failed"


async def read_nothing(databases: Databases, *, with_total: bool) -> None:
    async with start(databases, april(), with_total=with_total, first_byte_timeout=0.5):
        raise AssertionError("it has started")


def close_as_failed(connection: psycopg.Connection) -> None:
    """Close all receipts, as a process does that takes an export for lost."""
    connection.execute("UPDATE exports SET status = 'failed', finished_at = now() WHERE status = 'running'")


def test_an_export_is_cut_at_its_end_where_its_receipt_was_closed(
    databases: Databases, connection: psycopg.Connection
) -> None:
    """An export whose receipt somebody has closed never ends well, even if all its bytes were read."""
    insert_job(connection)

    async def read() -> None:
        async with start(databases, april()) as running:
            close_as_failed(connection)
            async for _ in running.stream():
                pass

    with pytest.raises(ExportCut) as caught:
        asyncio.run(read())

    assert str(caught.value) == "The receipt of this export was closed by somebody else: start the export again."
    assert ending(connection) == {"status": "failed", "rows": 0, "bytes": 0, "sha256": None}


def test_an_export_is_cut_in_the_middle_where_its_receipt_was_closed(
    databases: Databases, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next heartbeat notices that the receipt was closed, and the stream stops before its end."""
    monkeypatch.setattr("core.export.export.HEARTBEAT", 0.02)
    connection.execute(MANY_JOBS)

    async def read() -> int:
        received = 0
        async with start(databases, april()) as running, aclosing(running.stream()) as blocks:
            close_as_failed(connection)
            while True:
                try:
                    received += len(await anext(blocks))
                except ExportCut:
                    return received
                await asyncio.sleep(0.05)

    received = asyncio.run(read())

    assert 0 < received < 10_000 * 2_000
    assert ending(connection)["status"] == "failed"


def test_a_heartbeat_says_how_far_the_export_has_come(
    databases: Databases, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a slow reader reads, the running receipt shows the records and bytes handed over so far."""
    monkeypatch.setattr("core.export.export.HEARTBEAT", 0.02)
    connection.execute(MANY_JOBS)

    async def read_one_block_and_wait() -> tuple[bytes, dict[str, Any]]:
        async with start(databases, april()) as running, aclosing(running.stream()) as blocks:
            block = await anext(blocks)
            await asyncio.to_thread(wait_for, lambda: ending(connection)["rows"] > 0, "a heartbeat")
            return block, ending(connection)

    block, receipt = asyncio.run(read_one_block_and_wait())

    assert receipt == {"status": "running", "rows": block.count(b"\n") - 1, "bytes": len(block), "sha256": None}


def test_an_export_lives_on_where_a_heartbeat_cannot_be_written(
    databases: Databases, connection: psycopg.Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A heartbeat that fails for a moment cuts nothing: the receipt is found running, and completed."""
    monkeypatch.setattr("core.export.export.HEARTBEAT", 0.02)
    insert_job(connection)

    async def read() -> bytes:
        async with start(databases, april()) as running:
            connection.execute("ALTER TABLE exports RENAME TO elsewhere")
            await asyncio.sleep(0.3)
            connection.execute("ALTER TABLE elsewhere RENAME TO exports")
            return b"".join([block async for block in running.stream()])

    document = asyncio.run(read())

    assert ending(connection)["status"] == "complete"
    assert len(read_records(document)) == 1


def test_an_export_whose_backend_is_killed_fails(databases: Databases, connection: psycopg.Connection) -> None:
    """Where the server ends the connection in the middle, the stream raises; it is never ended as if complete."""
    connection.execute(MANY_JOBS)
    # More than the read-ahead and all buffers on the way hold.
    connection.execute("UPDATE jobs SET prompt = repeat('x', 10000)")

    async def read() -> tuple[bytes, str]:
        received = b""
        async with start(databases, april()) as running, aclosing(running.stream()) as blocks:
            received += await anext(blocks)
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query LIKE 'COPY%' AND pid <> pg_backend_pid()"
            )
            while True:
                try:
                    received += await anext(blocks)
                except DatabaseUnavailable as error:
                    return received, str(error)

    received, message = asyncio.run(read())

    assert message == f"Cannot reach {databases.source}: start PostgreSQL or correct DATABASE_URL."
    assert ending(connection) == {
        "status": "failed",
        "rows": received.count(b"\n") - 1,
        "bytes": len(received),
        "sha256": None,
    }


def test_an_error_of_a_row_in_the_middle_fails(databases: Databases, connection: psycopg.Connection) -> None:
    """Where the server cannot compute a later row, the stream raises, and the message holds no SQL."""
    connection.execute(MANY_JOBS)
    connection.execute("""
        ALTER TABLE jobs RENAME TO stored_jobs;
        CREATE VIEW jobs AS SELECT job_id, client_id, type, status, is_prohibited, created_at, completed_at, prompt,
            (1 / (CASE WHEN job_id = '00000000-0000-0000-0000-000000001f00' THEN 0 ELSE 1 END))::text AS reason
        FROM stored_jobs;
    """)

    with pytest.raises(Exception, match="SQLSTATE 22012") as caught:
        export_document(databases, april())

    assert str(caught.value) == "The database refused a statement (SQLSTATE 22012): this is a fault of Fencepost."
    assert ending(connection)["status"] == "failed"
    assert 0 < ending(connection)["rows"] < 0x1F00


def test_a_file_is_named_after_its_bounds(databases: Databases) -> None:
    """The name has the UTC dates of the bounds; with any further parameter also the beginning of the export's id."""

    async def name(**params: str) -> tuple[str, str]:
        async with start(databases, april(**params)) as running:
            return running.filename, str(running.export_id)[:8]

    plain, _ = asyncio.run(name(**{"from": "2026-04-01T05:00:00+06:00", "to": "2026-04-30T23:59:59Z"}))
    safe, short_id = asyncio.run(name(spreadsheet_safe="true"))

    assert plain == "jobs_2026-03-31_2026-04-30.csv"
    assert safe == f"jobs_2026-04-01_2026-05-01_filtered_{short_id}.csv"


def test_a_total_is_counted_only_where_it_is_asked_for(databases: Databases, connection: psycopg.Connection) -> None:
    """`total` is the number of records of this export, or None."""
    for number in range(3):
        insert_job(connection, type="image" if number else "prompt")

    async def total(*, with_total: bool) -> int | None:
        async with start(databases, april(type="image"), with_total=with_total) as running:
            return running.total

    assert [asyncio.run(total(with_total=with_total)) for with_total in (True, False)] == [2, None]


def test_exports_run_side_by_side(databases: Databases, connection: psycopg.Connection) -> None:
    """Several exports at once do not disturb each other, nor does one in another thread."""
    connection.execute(MANY_JOBS)
    expected = export_document(databases, april())
    from_thread: list[bytes] = []
    thread = threading.Thread(target=lambda: from_thread.append(export_document(databases, april())))

    async def read() -> bytes:
        async with start(databases, april()) as running:
            return b"".join([block async for block in running.stream()])

    async def read_both() -> list[bytes]:
        return list(await asyncio.gather(read(), read()))

    thread.start()
    documents = asyncio.run(read_both())
    thread.join()

    assert documents + from_thread == [expected] * 3


def test_times_are_those_of_the_jobs_whether_facts_hold_them_or_not(
    databases: Databases, connection: psycopg.Connection
) -> None:
    """Facts that were there before times were kept with them have none; where they have them, these are read."""
    for number in range(4):
        at = NOON + timedelta(days=number, microseconds=number * 100)
        insert_job(connection, created_at=at, completed_at=at + timedelta(hours=1) if number % 2 else None)
    expected = export_document(databases, april())

    connection.execute("UPDATE job_facts SET created_text = NULL, completed_text = NULL WHERE created_at > %s", (NOON,))
    some = export_document(databases, april())
    connection.execute("UPDATE job_facts SET created_text = 'of the fact'")
    told = [record[4] for record in read_records(export_document(databases, april()))]

    assert [record[4:6] for record in read_records(expected)] == [
        ["2026-04-15T12:00:00.000000Z", ""],
        ["2026-04-16T12:00:00.000100Z", "2026-04-16T13:00:00.000100Z"],
        ["2026-04-17T12:00:00.000200Z", ""],
        ["2026-04-18T12:00:00.000300Z", "2026-04-18T13:00:00.000300Z"],
    ]
    assert some == expected
    assert told == ["of the fact"] * 4
