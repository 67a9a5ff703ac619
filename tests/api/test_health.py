"""Health: whether the database answers, while it goes, hangs and comes back."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from core.cli.watchdog import LONGEST
from core.db.embedded import EmbeddedServer
from core.db.startup import migrate, open_databases
from core.program import VERSION
from core.settings import Settings
from tests.support.asgi import EXPORT, make_key
from tests.support.servers import serving
from tests.support.serving import free_port, serve_api
from tests.support.waiting import PATIENCE, wait_for

UNAVAILABLE = {
    "error": "UNAVAILABLE",
    "message": "The database cannot be asked at the moment: try again in 5 seconds.",
    "statusCode": 503,
}

HEALTHY = b'{"status":"ok"}'


@pytest.fixture(scope="module")
def private_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A PostgreSQL that a test may stop, and starts again: one for all of these tests."""
    server = EmbeddedServer(tmp_path_factory.mktemp("private") / "server")
    server.start()
    migrate(Settings(database_url=SecretStr(server.url())))
    yield server
    server.stop()


@contextmanager
def stopped(server: EmbeddedServer) -> Iterator[None]:
    """Let every process of a server hang for a block, as a machine does whose disk does not answer."""
    with psycopg.connect(server.url("postgres", "postgres")) as connection:
        rows = connection.execute("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        processes = [int((server.data / "postmaster.pid").read_text().split()[0]), *(pid for (pid,) in rows)]
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


@contextmanager
def ended(server: EmbeddedServer) -> Iterator[None]:
    """End a server for a block."""
    server.stop()
    try:
        yield
    finally:
        server.start()


def told(answer: httpx.Response) -> tuple[int, object, str | None]:
    return answer.status_code, json.loads(answer.content), answer.headers.get("retry-after")


@pytest.mark.parametrize("away", [ended, stopped])
def test_health_follows_the_database_and_a_monitor_reads_on(
    private_server: EmbeddedServer, tmp_path: Path, away: Callable[[EmbeddedServer], AbstractContextManager[None]]
) -> None:
    """Health is 200 while the database answers, 503 while it is down or hangs, and 200 again when it is back.

    Meanwhile the database's numbers are absent; those of the process are there, and say so. An export is refused as
    health is, and once the database is back it is what it was before.
    """
    databases = open_databases(Settings(database_url=SecretStr(private_server.url())))
    key = make_key(databases)
    databases.close()
    token = "Bearer a token that a monitor has"
    with serve_api(
        private_server.url(), tmp_path / "api.log", FENCEPOST_METRICS_TOKEN=token.removeprefix("Bearer ")
    ) as api:
        up, numbers = api.get("/health"), api.get("/metrics", token).text
        before = api.get(EXPORT, key)
        with away(private_server):
            down = [told(api.get("/health"))]
            without = api.get("/metrics", token)
            if away is ended:
                down.append(told(api.get(EXPORT, key)))
        at_once = api.get("/health")
        # What has hung for long may be given up for a moment.
        wait_for(lambda: api.get("/health").content == HEALTHY, "health")
        wait_for(lambda: "fencepost_database_up 1.0\n" in api.get("/metrics", token).text, "the database")
        after = api.get(EXPORT, key)

    assert (up.status_code, up.content, up.headers["content-type"]) == (200, HEALTHY, "application/json")
    assert (up.headers["cache-control"], up.headers["x-content-type-options"]) == ("no-store", "nosniff")
    assert up.headers["x-fencepost-version"] == VERSION
    assert down == [(503, UNAVAILABLE, "5")] * len(down)
    assert (at_once.status_code, at_once.content) == (200, HEALTHY) or away is stopped
    assert (before.status_code, before.content) == (after.status_code, after.content) == (200, after.content)
    assert "fencepost_database_up 1.0\n" in numbers
    assert "fencepost_exports_running 0.0\n" in numbers
    assert without.status_code == 200
    assert "fencepost_database_up 0.0\n" in without.text
    assert "fencepost_exports_running" not in without.text
    assert 'fencepost_requests_total{route="/health",status="503"} 1.0\n' in without.text


def test_a_database_that_hangs_keeps_no_server_from_ending(private_server: EmbeddedServer, tmp_path: Path) -> None:
    """After SIGTERM API and dashboard end within their limits; one that waited in vain says so, and exits with 1."""
    port, page_port = free_port(), free_port()
    api = [sys.executable, "-m", "api", f"--port={port}"]
    dashboard = [sys.executable, "-m", "dashboard", f"--server.port={page_port}"]
    environment = {"DATABASE_URL": private_server.url()}

    with (
        serving(api, port, tmp_path, environment) as first,
        serving(dashboard, page_port, tmp_path, environment) as second,
        stopped(private_server),
    ):
        servers = (first, second)
        with ThreadPoolExecutor() as threads:
            answers = [threads.submit(httpx.get, f"{server.url}/health", timeout=PATIENCE) for server in servers]
        for server in servers:
            server.process.send_signal(signal.SIGTERM)
        codes = [server.process.wait(timeout=LONGEST + PATIENCE) for server in servers]
        logs = [server.log for server in servers]

    assert [answer.result().status_code for answer in answers] == [503, 503]
    for code, log in zip(codes, logs, strict=True):
        assert code == int("stopped without waiting any longer for the database" in log)
        assert "Traceback" not in log
