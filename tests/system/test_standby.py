"""A streaming standby as the source: exports run there, outlive its restarts, and are never half a file."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import streamlit as st
from psycopg import sql
from pydantic import SecretStr
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from core.actor import COMMAND_LINE
from core.auth.tickets import TicketOffice
from core.check.finding import Level
from core.check.run import run_checks
from core.db.databases import Databases
from core.db.embedded import EmbeddedServer
from core.db.startup import migrate, open_databases
from core.errors import DatabaseUnavailable
from core.export.export import Reader, start_export
from core.export.receipts import Via
from core.settings import Settings
from dashboard.session.resources import Resources, provide
from tests.conftest import ROOT
from tests.dashboard.jobs.test_page import MAIN
from tests.support.asgi import EXPORT, make_key
from tests.support.documents import april, export_document
from tests.support.rows import insert_job, insert_large_jobs
from tests.support.serving import serve_api
from tests.support.standby import restart, running_server, running_standby, start, stop, url_of
from tests.support.waiting import wait_for

# What curl exits with when a body has no end ("partial file").
CUT = 18

# As long as the gate is closed, whoever reads a job waits.
GATED = """
    CREATE TABLE gate (is_closed boolean);
    INSERT INTO gate VALUES (true);
    ALTER TABLE jobs RENAME TO stored_jobs;
    CREATE VIEW jobs AS SELECT stored_jobs.* FROM stored_jobs, LATERAL (
        SELECT pg_sleep(CASE WHEN EXISTS (SELECT FROM gate) THEN 3600 ELSE 0 END)
        WHERE stored_jobs.job_id IS NOT NULL OFFSET 0
    ) AS slept;
"""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedServer, EmbeddedServer]]:
    """A primary, with a migrated database `template`, and its standby."""
    folder = tmp_path_factory.mktemp("pair")
    with running_server(folder / "primary") as primary:
        with psycopg.connect(url_of("postgres", "postgres", primary), autocommit=True) as connection:
            connection.execute("CREATE DATABASE template OWNER fencepost")
        migrate(Settings(database_url=SecretStr(url_of("template", "fencepost", primary))))
        with running_standby(primary, folder / "standby") as standby:
            yield primary, standby


@pytest.fixture
def primary(pair: tuple[EmbeddedServer, EmbeddedServer]) -> EmbeddedServer:
    return pair[0]


@pytest.fixture
def standby(pair: tuple[EmbeddedServer, EmbeddedServer]) -> EmbeddedServer:
    return pair[1]


@pytest.fixture
def service(primary: EmbeddedServer) -> Iterator[str]:
    """The name of a database with tables and without jobs, on the primary and soon on the standby."""
    name = f"service_{uuid4().hex[:8]}"
    with psycopg.connect(url_of("postgres", "postgres", primary), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template OWNER fencepost").format(sql.Identifier(name)))
        yield name
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def writer(primary: EmbeddedServer, service: str) -> Iterator[psycopg.Connection]:
    """A connection to the source on the primary."""
    with psycopg.connect(url_of(service, "fencepost", primary), autocommit=True) as connection:
        yield connection


@pytest.fixture
def settings(pair: tuple[EmbeddedServer, EmbeddedServer], service: str, database_url: str) -> Settings:
    """Our own database elsewhere, and the source on the standby or else on the primary."""
    primary, standby = pair
    source = url_of(service, "fencepost", primary, standby, target_session_attrs="prefer-standby")
    return Settings(database_url=SecretStr(database_url), source_database_url=SecretStr(source))


def replay(writer: psycopg.Connection, standby: EmbeddedServer) -> None:
    """Wait until the standby has all that was committed."""
    written = writer.execute("SELECT pg_current_wal_flush_lsn()").fetchone()
    assert written is not None
    with psycopg.connect(url_of("postgres", "postgres", standby), autocommit=True) as connection:
        query = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
        wait_for(lambda: connection.execute(query, written).fetchone() == (True,), "the standby")


def sessions(server: EmbeddedServer, service: str, condition: str = "true") -> int:
    """Count our sessions with the source on a server."""
    with psycopg.connect(url_of("postgres", "postgres", server)) as connection:
        row = connection.execute(
            f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{service}'"
            f" AND application_name = 'fencepost' AND {condition}".encode()
        ).fetchone()
    assert row is not None
    return int(row[0])


def open_gate(writer: psycopg.Connection) -> None:
    """Let those through who begin now; vacuuming the row away stands against all who have begun before."""
    writer.execute("DELETE FROM gate")
    writer.execute("VACUUM gate")


def receipts(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    return connection.execute("SELECT status, rows FROM exports ORDER BY started_at").fetchall()


def test_an_export_runs_on_the_standby_with_all_its_connections(
    databases: Databases,
    writer: psycopg.Connection,
    primary: EmbeddedServer,
    standby: EmbeddedServer,
    service: str,
) -> None:
    """Leader and follower are sessions of the standby, the primary has none, and the bytes are the primary's."""
    insert_large_jobs(writer, 3000, size=10_000)
    replay(writer, standby)

    async def read() -> tuple[bytes, int, int]:
        starting = start_export(
            databases, april(), COMMAND_LINE, via=Via.CLI, reader=Reader(), first_byte_timeout=50, workers=2
        )
        async with starting as running, aclosing(running.stream()) as blocks:
            body = await anext(blocks)
            exporting = "query ~ 'COPY|SNAPSHOT|OFFSET'"
            find = lambda: sessions(standby, service, exporting) >= 2  # noqa: E731
            await asyncio.to_thread(wait_for, find, "a follower on the standby")
            counts = sessions(standby, service, exporting), sessions(primary, service)
            return body + b"".join([block async for block in blocks]), *counts

    body, there, elsewhere = asyncio.run(read())

    assert (there, elsewhere) == (2, 0)
    assert body == export_from(url_of(service, "fencepost", primary))
    assert body.count(b"\n") == 3001


def export_from(url: str) -> bytes:
    opened = open_databases(Settings(database_url=SecretStr(url)))
    try:
        return export_document(opened, april())
    finally:
        opened.close()


def find_standby(databases: Databases) -> bool:
    """Tell whether a page is answered by the standby."""
    with databases.source.transaction() as transaction:
        return bool(transaction.execute(text("SELECT pg_is_in_recovery()")).scalar_one())


def test_pages_come_back_to_the_standby(
    settings: Settings,
    writer: psycopg.Connection,
    standby: EmbeddedServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connection that went to the primary, because the standby was away, is made anew after a while."""
    monkeypatch.setattr("core.db.database.RECYCLE", 0)
    databases = open_databases(settings)
    replay(writer, standby)

    stop(standby)
    meanwhile = find_standby(databases)
    start(standby)
    afterwards = find_standby(databases)

    databases.close()
    assert (meanwhile, afterwards) == (False, True)


def test_exports_and_pages_outlive_a_restart_of_the_standby(
    databases: Databases,
    writer: psycopg.Connection,
    primary: EmbeddedServer,
    standby: EmbeddedServer,
    connection: psycopg.Connection,
) -> None:
    """After a restart the pool has new connections and exports go on there; while it is away the primary is asked."""
    insert_job(writer, prompt="a prompt")
    replay(writer, standby)

    first, before = export_document(databases, april(), workers=2), find_standby(databases)
    restart(standby)
    second, after = export_document(databases, april(), workers=2), find_standby(databases)
    stop(standby)
    third, meanwhile = export_document(databases, april(), workers=2), find_standby(databases)
    start(standby)
    fourth = export_document(databases, april(), workers=2)

    assert first == second == third == fourth
    assert (before, after, meanwhile) == (True, True, False)
    assert receipts(connection) == [("complete", 1)] * 4


def test_an_export_that_is_dropped_before_its_first_row_begins_again(
    databases: Databases,
    writer: psycopg.Connection,
    standby: EmbeddedServer,
    service: str,
    connection: psycopg.Connection,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A conflict with recovery that nobody has seen anything of is tried again: one receipt, which is complete."""
    job_id = insert_job(writer)
    writer.execute(GATED)
    replay(writer, standby)
    documents: list[bytes] = []
    exporting = threading.Thread(target=lambda: documents.append(export_document(databases, april(), workers=2)))

    exporting.start()
    wait_for(lambda: sessions(standby, service, "wait_event = 'PgSleep'"), "an export at the gate")
    open_gate(writer)
    exporting.join()

    assert str(job_id).encode() in documents[0]
    assert receipts(connection) == [("complete", 1)]
    assert [message.split()[-10:] for message in caplog.messages if "begins again" in message] == [
        ["again", "in", "0.2", "seconds:", "what", "it", "had", "begun", "is", "lost"]
    ]


def test_an_export_that_is_dropped_each_time_is_refused(
    databases: Databases,
    writer: psycopg.Connection,
    standby: EmbeddedServer,
    connection: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a few tries it is said that the standby is at fault, and the receipt is failed."""
    monkeypatch.setattr("core.export.export.PAUSES", (0, 0))
    insert_job(writer)
    writer.execute("ALTER TABLE jobs RENAME TO stored_jobs")
    # What a conflict is to whoever meets one: this SQLSTATE.
    writer.execute("""
        CREATE FUNCTION conflict() RETURNS boolean LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'canceling statement due to conflict with recovery' USING ERRCODE = '40001'; END $$
    """)
    writer.execute("CREATE VIEW jobs AS SELECT * FROM stored_jobs WHERE conflict()")
    replay(writer, standby)

    with pytest.raises(DatabaseUnavailable) as caught:
        export_document(databases, april())

    assert str(caught.value).endswith(
        " is a standby, and dropped a query that kept it from following its primary: try again in a few seconds."
    )
    assert receipts(connection) == [("failed", 0)]


def test_an_export_that_is_dropped_later_is_cut(
    settings: Settings,
    databases: Databases,
    writer: psycopg.Connection,
    standby: EmbeddedServer,
    service: str,
    connection: psycopg.Connection,
    database_url: str,
    tmp_path: Path,
) -> None:
    """A conflict in the middle, while a slow reader holds the export open, cuts the connection; `failed` says so."""
    insert_large_jobs(writer, 400, size=100_000)
    replay(writer, standby)
    assert settings.source_database_url is not None
    source = settings.source_database_url.get_secret_value()

    with serve_api(database_url, tmp_path / "api.log", SOURCE_DATABASE_URL=source) as api:
        curl = api.curl(EXPORT, make_key(databases))
        assert curl.stdout is not None
        body = curl.stdout.read(3)
        wait_for(lambda: sessions(standby, service, "wait_event = 'ClientWrite'"), "an export that waits")
        writer.execute("DELETE FROM jobs")
        writer.execute("VACUUM jobs")
        wait_for(lambda: _is_behind(standby), "the standby to be in conflict")
        body += curl.stdout.read()
        curl.stdout.close()
        code = curl.wait()
        assert curl.stderr is not None
        curl.stderr.close()
        log = api.log()

    assert code == CUT
    assert "SerializationFailure 40001" in log
    assert body.count(b"\n") < 401
    assert [status for status, _ in receipts(connection)] == ["failed"]


def _is_behind(standby: EmbeddedServer) -> bool:
    """Tell whether replay has told sessions to end: one has, or it waits half a second already, as its title says.

    Its wait event would show only the time before, in which they may still come to their end.
    """
    with psycopg.connect(url_of("postgres", "postgres", standby)) as connection:
        rows = connection.execute("SELECT pid, backend_type, state FROM pg_stat_activity").fetchall()
    return any(
        state == "idle in transaction (aborted)"
        or (kind == "startup" and b"waiting" in Path(f"/proc/{pid}/cmdline").read_bytes())
        for pid, kind, state in rows
    )


def test_a_page_says_to_try_again(
    settings: Settings,
    databases: Databases,
    writer: psycopg.Connection,
    standby: EmbeddedServer,
    service: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """A page whose query is dropped shows one sentence, and all is well the next time."""
    insert_job(writer)
    writer.execute(GATED)
    replay(writer, standby)
    monkeypatch.setattr(type(st.context), "cookies", property(lambda _: {}))
    monkeypatch.setattr(type(st.context), "url", property(lambda _: "http://localhost:3051/"))
    demo = settings.model_copy(update={"fencepost_demo": True, "fencepost_page_timeout": 60})
    provide(Resources(databases, demo, TicketOffice("x" * 43)))
    # The page leads to the one of reviews, which must be there for that.
    for name in ("jobs", "reviews"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "page.py").touch()
    script = tmp_path / "main.py"
    script.write_text(MAIN)
    page = ROOT / "dashboard" / "jobs" / "page.py"
    (tmp_path / "jobs" / "page.py").write_text(
        "import runpy\nfrom dashboard.widgets.failure import show_failure\n"
        f"try:\n    runpy.run_path({str(page)!r})\nexcept Exception as error:\n    show_failure(error)\n"
    )
    app = AppTest.from_file(str(script), default_timeout=60)
    app.query_params.update({"from": "2026-04-01T00:00:00Z", "to": "2026-05-01T00:00:00Z"})

    def interfere() -> None:
        wait_for(lambda: sessions(standby, service, "wait_event = 'PgSleep'"), "a page at the gate")
        open_gate(writer)

    interfering = threading.Thread(target=interfere)
    interfering.start()
    app.run()
    interfering.join()
    said = [error.value for error in app.error]
    app.run()

    assert said == ["The database does not answer at the moment. Nothing is lost: try again in a few seconds."]
    assert not app.error
    assert not app.exception


def test_the_check_knows_a_standby(
    databases: Databases, settings: Settings, writer: psycopg.Connection, standby: EmbeddedServer
) -> None:
    """`check` runs on a standby, tries a shared snapshot there, and says what cuts long exports."""
    insert_job(writer)
    replay(writer, standby)

    findings = list(run_checks(databases, settings))

    texts = [finding.text for finding in findings]
    assert [finding.text for finding in findings if finding.level is Level.PROBLEM] == []
    assert ", a standby: " in texts[0]
    assert "Connections can share a snapshot, so that an export uses several." in texts
    cutting = [finding for finding in findings if "max_standby_streaming_delay" in finding.text]
    assert [finding.statements for finding in cutting] == [
        ("ALTER SYSTEM SET hot_standby_feedback = on;", "SELECT pg_reload_conf();")
    ]
