"""Behind a real PgBouncer, in transaction mode and in session mode, everything works as it does without one."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr
from sqlalchemy import text

from core.actor import COMMAND_LINE
from core.audit.events import Event, record
from core.audit.verification import check_chain
from core.check.run import run_checks
from core.db.databases import Databases
from core.db.startup import open_databases
from core.settings import Settings
from tests.core.db.test_database import silent_network
from tests.support.documents import april, export_document
from tests.support.rows import insert_job
from tests.support.waiting import wait_for


@pytest.fixture(scope="module")
def program() -> str:
    found = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/opt/homebrew/bin")
    assert found is not None, "PgBouncer is needed: apt-get install pgbouncer, or brew install pgbouncer"
    return found


@pytest.fixture(params=["transaction", "session"])
def pooled(request: pytest.FixtureRequest, program: str, database_url: str, tmp_path: Path) -> Iterator[str]:
    """The URL of a database through PgBouncer, whose pool is smaller than what asks for connections."""
    with silent_network(database_url) as (address, _), socket.create_server(("127.0.0.1", 0)) as free:
        parts = conninfo_to_dict(address)
        port = free.getsockname()[1]
        free.close()
        password = f" password='{parts['password']}'" if parts.get("password") else ""
        file = tmp_path / "pgbouncer.ini"
        # A small pool, so that connections of the server change hands all the time; a session keeps its own.
        size = 8 if request.param == "transaction" else 60
        file.write_text(
            f"[databases]\n* = host=127.0.0.1 port={parts['port']} user={parts['user']}{password}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
            f"pool_mode = {request.param}\ndefault_pool_size = {size}\nmax_client_conn = 200\n"
        )
        tmp_path.chmod(0o755)
        with file.open() as settings:
            process = subprocess.Popen(
                [*_as_somebody(), program, "-q", "/dev/stdin"],
                stdin=settings,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        url = f"postgresql://{parts['user']}@127.0.0.1:{port}/{parts['dbname']}"
        try:
            wait_for(lambda: _answers(url), "PgBouncer")
            yield url
        finally:
            process.terminate()
            process.wait(timeout=30)


def _as_somebody() -> list[str]:
    """PgBouncer does not run as root."""
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"] if os.getuid() == 0 else []


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, prepare_threshold=None).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.mark.parametrize("place", ["DATABASE_URL", "SOURCE_DATABASE_URL"])
def test_exports_work_behind_a_pooler(
    pooled: str, database_url: str, connection: psycopg.Connection, place: str, request: pytest.FixtureRequest
) -> None:
    """Every one of many exports at once gives the bytes that it gives without PgBouncer; no setting leaks to others.

    Four at a time, on two connections each; by the sixth statement psycopg would prepare.
    """
    exports: int = request.config.getoption("--exports")
    for number in range(50):
        insert_job(connection, prompt=f"a harmless prompt {number}")
    plain = opened(database_url)
    expected = export_document(plain, april())
    plain.close()
    databases = opened(pooled) if place == "DATABASE_URL" else opened(database_url, pooled)

    with ThreadPoolExecutor(4) as threads:
        documents = list(threads.map(lambda _: export_document(databases, april(), workers=2), range(exports)))
    findings = [finding.text for finding in run_checks(databases, Settings())]
    databases.close()

    assert documents == [expected] * exports
    assert any(text.startswith("A pooler such as PgBouncer stands in front of") for text in findings)
    with psycopg.connect(pooled, prepare_threshold=None) as client:
        assert client.execute("SHOW enable_seqscan").fetchone() == ("on",)


def test_pages_and_the_audit_work_behind_a_pooler(pooled: str) -> None:
    """Transactions have their limits, each for itself, and many writers still make one chain."""
    databases = opened(pooled)

    def use(number: int) -> str:
        record(databases, Event.JOBS_LISTED, COMMAND_LINE, details={"number": number})
        with databases.ours.transaction(timeout=3) as transaction:
            shown = [
                transaction.execute(text(f"SHOW {name}")).scalar_one() for name in ("statement_timeout", "TimeZone")
            ]
        return ", ".join(shown)

    with ThreadPoolExecutor(12) as threads:
        used = set(threads.map(use, range(60)))
    proved = check_chain(databases)
    databases.close()

    assert used == {"3s, UTC"}
    assert proved.startswith("The audit is one unbroken chain of 60 events")


def opened(url: str, source: str | None = None) -> Databases:
    return open_databases(
        Settings(database_url=SecretStr(url), source_database_url=None if source is None else SecretStr(source))
    )
