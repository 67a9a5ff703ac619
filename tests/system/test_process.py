"""A process that serves the API, and what becomes of exports when it, its database or a reader goes."""

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from core.db.databases import Databases
from core.export.parallel_copy import READ_AHEAD
from tests.conftest import TestServer
from tests.support.asgi import EXPORT, make_key
from tests.support.rows import insert_large_jobs
from tests.support.serving import ApiProcess, run_api, serve_api
from tests.support.waiting import terminate_exports, wait_for, wait_until_idle

HEADER = (
    b"\xef\xbb\xbfjob_id,type,status,is_prohibited,created_at,completed_at,prompt,reason,"
    b"category_ai_adult_general,category_underage,category_nsfw\n"
)

# What curl exits with when a body has no end ("partial file").
CUT = 18

# Far more than lies in the buffers of two sockets, so that the server is still at work when a test interferes.
JOBS, SIZE = 400, 100_000


@pytest.fixture
def api(database_url: str, tmp_path: Path) -> Iterator[ApiProcess]:
    with serve_api(database_url, tmp_path / "api.log") as running:
        yield running


@pytest.fixture
def key(databases: Databases) -> str:
    return make_key(databases)


@pytest.fixture(scope="module")
def template(server: TestServer) -> Iterator[str]:
    """Forty megabytes of jobs, which are copied faster than written."""
    name = f"fencepost_large_{uuid4().hex[:8]}"
    with psycopg.connect(server.create_migrated(name), autocommit=True) as connection:
        insert_large_jobs(connection, JOBS, size=SIZE)
    yield name
    server.drop(name)


@pytest.fixture
def large(template: str) -> None:
    """Have the test's database begin with these jobs."""


def ends(connection: psycopg.Connection) -> list[str]:
    return [status for (status,) in connection.execute("SELECT status FROM exports ORDER BY started_at")]


def start_reading(api: ApiProcess, key: str, *options: str) -> subprocess.Popen[bytes]:
    """Start an export that stays in the middle: curl waits until its standard output is read."""
    curl = api.curl(EXPORT, key, *options)
    assert curl.stdout is not None
    assert curl.stdout.read(3) == b"\xef\xbb\xbf"
    return curl


def open_export(api: ApiProcess, key: str) -> socket.socket:
    """Ask for an export on a connection with a small buffer, and read its first bytes."""
    reader = socket.create_connection(("127.0.0.1", int(api.url.rpartition(":")[2])), timeout=60)
    # Much less than an export; with still less the kernel waits before each block.
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    reader.sendall(f"GET {EXPORT} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {key}\r\n\r\n".encode())
    assert reader.recv(15) == b"HTTP/1.1 200 OK"
    return reader


def finish_reading(curl: subprocess.Popen[bytes]) -> bytes:
    """Read what is left."""
    with curl:
        body, _ = curl.communicate(timeout=60)
    return b"\xef\xbb\xbf" + body


@pytest.mark.parametrize("options", [[], ["--http1.0"]], ids=["HTTP/1.1", "HTTP/1.0"])
@pytest.mark.usefixtures("large")
def test_curl_notices_that_the_database_has_gone(
    api: ApiProcess, key: str, connection: psycopg.Connection, options: list[str]
) -> None:
    """When the database goes in the middle, curl exits 18; what came is the beginning of the file and no error text."""
    curl = start_reading(api, key, *options)

    terminate_exports(connection)
    body = finish_reading(curl)

    assert curl.returncode == CUT
    assert body.startswith(HEADER)
    assert all(len(line) > SIZE for line in body.removeprefix(HEADER).splitlines())
    wait_for(lambda: ends(connection) == ["failed"], "the receipt")


@pytest.mark.usefixtures("large")
def test_reader_who_goes_is_noticed_also_behind_another_request(
    api: ApiProcess, key: str, connection: psycopg.Connection
) -> None:
    """An export ends when its reader goes, whatever the reader has asked for behind it on the same connection."""
    with open_export(api, key) as reader:
        reader.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        # Much of the export comes after the server has heard of the other request.
        for _ in range(100):
            reader.recv(100_000)

    wait_for(lambda: ends(connection) == ["interrupted"], "the receipt")
    wait_until_idle(connection)


@pytest.mark.usefixtures("large")
def test_what_cannot_be_read_behind_an_export_cuts_it(
    api: ApiProcess, key: str, connection: psycopg.Connection
) -> None:
    """No error text gets into a body: it ends in the middle."""
    with open_export(api, key) as reader, suppress(ConnectionError):
        reader.sendall(b"no request\r\n\r\n")
        body = b""
        while block := reader.recv(1_000_000):
            body += block

    assert b"HTTP/1.1" not in body
    assert not body.endswith(b"0\r\n\r\n")
    wait_for(lambda: ends(connection) == ["interrupted"], "the receipt")


@pytest.mark.usefixtures("large")
def test_reader_that_is_killed_interrupts_its_export(api: ApiProcess, key: str, connection: psycopg.Connection) -> None:
    """When curl goes, its receipt says so and nothing works for it any more."""
    curl = start_reading(api, key)

    curl.kill()
    finish_reading(curl)

    wait_for(lambda: ends(connection) == ["interrupted"], "the receipt")
    wait_until_idle(connection)


@pytest.mark.usefixtures("large")
def test_reader_that_stops_reading_is_dropped(
    database_url: str, tmp_path: Path, key: str, connection: psycopg.Connection
) -> None:
    """A reader who takes nothing for the time limit is dropped, and does not find a complete file later."""
    with serve_api(database_url, tmp_path / "api.log", FENCEPOST_SEND_TIMEOUT="0.5") as api:
        curl = start_reading(api, key)
        wait_for(lambda: ends(connection) == ["interrupted"], "the receipt")
        wait_until_idle(connection)

        finish_reading(curl)

    assert curl.returncode == CUT


@pytest.mark.usefixtures("large")
def test_server_that_is_terminated_cuts_its_exports(
    database_url: str, tmp_path: Path, key: str, connection: psycopg.Connection
) -> None:
    """After SIGTERM and a time of grace the server cuts what still runs, says that it failed, and exits 0."""
    # A tenth of the time that it gives else.
    with serve_api(database_url, tmp_path / "api.log", grace=1) as api:
        curl = start_reading(api, key)

        api.process.send_signal(signal.SIGTERM)

        assert api.process.wait(timeout=60) == 0
        assert ends(connection) == ["failed"]
        wait_until_idle(connection)
        finish_reading(curl)
        assert curl.returncode == CUT
        assert "fp_" not in api.log()


@pytest.mark.usefixtures("large")
def test_server_that_is_terminated_lets_exports_end(api: ApiProcess, key: str, connection: psycopg.Connection) -> None:
    """A running export that ends within the time of grace is complete, and the server exits 0."""
    curl = start_reading(api, key)

    api.process.send_signal(signal.SIGTERM)
    body = finish_reading(curl)

    assert api.process.wait(timeout=60) == 0
    assert curl.returncode == 0
    assert connection.execute("SELECT status, bytes FROM exports").fetchall() == [("complete", len(body))]


@pytest.mark.usefixtures("large")
def test_export_of_a_killed_server_is_closed_by_another(
    api: ApiProcess, key: str, connection: psycopg.Connection, database_url: str, tmp_path: Path
) -> None:
    """A server that is killed leaves a running receipt, which counts as failed once its heartbeat is 60 s old."""
    curl = start_reading(api, key)
    api.process.kill()
    finish_reading(curl)
    export_id = connection.execute("SELECT export_id FROM exports").fetchall()[0][0]
    target = f"/api/v1/exports/{export_id}"

    with serve_api(database_url, tmp_path / "second.log") as second:
        before = second.get(target, key).json()["status"]
        connection.execute("UPDATE exports SET heartbeat_at = now() - interval '61 seconds'")
        after = second.get(target, key).json()

    assert curl.returncode == CUT
    assert (before, after["status"], after["sha256"]) == ("running", "failed", None)
    assert after["finished_at"] is not None
    assert ends(connection) == ["failed"]


@pytest.mark.usefixtures("large")
def test_slow_reader_costs_no_memory(api: ApiProcess, key: str, connection: psycopg.Connection) -> None:
    """While a reader takes a large export slowly, the server holds its read-ahead of it, not what is still to come."""
    insert_large_jobs(connection, 3 * JOBS, size=SIZE)
    api.get(f"{EXPORT}&type=none", key)
    before = api.resident()
    target = f"GET {EXPORT} HTTP/1.0\r\nauthorization: {key}\r\n\r\n"
    address = ("127.0.0.1", int(api.url.rpartition(":")[2]))

    with socket.socket() as reader:
        # The kernel holds little, so that what the server holds is the server's.
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        reader.connect(address)
        reader.sendall(target.encode())
        read, most = 0, 0
        while block := reader.recv(1 << 20, socket.MSG_WAITALL):
            read += len(block)
            most = max(most, api.resident())

    assert read > 4 * JOBS * SIZE
    # What libpq and Python need beside the read-ahead itself is less than as much again.
    assert most - before < 2 * READ_AHEAD < 4 * JOBS * SIZE / 4
    assert ends(connection) == ["complete", "complete"]


@pytest.mark.usefixtures("large")
def test_log_tells_nothing_confidential(api: ApiProcess, key: str, connection: psycopg.Connection) -> None:
    """After a success, refusals, a reader who left and a database that went, the log holds no key, prompt or query."""
    api.get(f"{EXPORT}&q=secret-word&type=none", key)
    api.get(f"{EXPORT}&q=secret-word&type=", key)
    api.get(f"{EXPORT}&secret-word=1", key[:-1])
    api.get(f"/api/{key.removeprefix('Bearer ')}", key)
    curl = start_reading(api, key)
    curl.kill()
    finish_reading(curl)
    wait_for(lambda: ends(connection) == ["complete", "interrupted"], "the receipt")
    curl = start_reading(api, key)
    terminate_exports(connection)
    finish_reading(curl)
    connection.execute("ALTER TABLE jobs ALTER COLUMN created_at TYPE text")
    api.get(f"{EXPORT}&q=secret-word", key)

    log = api.log()

    assert "was cut" in log
    assert "internal error: NotPossible" in log
    for confidential in (
        "fp_",
        key,
        key.split("_")[2],
        "secret-word",
        "harmless",
        "from=",
        "2026-04-01",
        "SELECT",
        "COPY",
    ):
        assert confidential not in log


def test_server_that_cannot_start_says_so_in_one_line(
    api: ApiProcess, database_url: str, empty_database_url: str
) -> None:
    """Where the port is taken or the tables are missing, the exit code is 1 and the last line says what to do."""
    taken = api.url.rpartition(":")[2]

    on_taken_port = run_api(database_url, taken)
    without_tables = run_api(empty_database_url, "0")

    assert (on_taken_port.returncode, without_tables.returncode) == (1, 1)
    assert on_taken_port.stderr.splitlines()[-1] == (
        f"Error: Cannot listen on 127.0.0.1:{taken}: Address already in use. Choose another address or port."
    )
    assert without_tables.stderr == (
        "Error: The tables in DATABASE_URL are missing or old: run `python -m core migrate`.\n"
    )
