"""Read-only means read-only: nothing of ours can write in the source, and nothing of ours tries to."""

import asyncio
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import streamlit as st
from psycopg import sql
from pydantic import SecretStr
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from core.auth.tickets import TicketOffice
from core.db.database import Database
from core.db.databases import Databases
from core.db.embedded import EmbeddedServer
from core.db.startup import migrate
from core.errors import FencepostError
from core.settings import Settings
from dashboard.session.resources import Resources, provide
from tests.conftest import ROOT
from tests.support.asgi import APRIL, EXPORT, ask, create_api, make_key
from tests.support.rows import insert_job, insert_log
from tests.support.standby import SETTINGS, running_server

INSERT = (
    "INSERT INTO jobs (job_id, client_id, type, status, created_at)"
    " VALUES (gen_random_uuid(), 'acme', 'prompt', 'completed', now())"
)

# What may come before an INSERT by mistake, and would make room for it.
UNLUCKY = {
    "nothing": (),
    "a mode": ("SET TRANSACTION READ WRITE",),
    "a mode as a setting": ("SET transaction_read_only = off",),
    "a mode for all": ("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",),
    "the default": ("SET default_transaction_read_only = off",),
    "a savepoint": ("SAVEPOINT a", "SET TRANSACTION READ WRITE"),
    "an end": ("COMMIT",),
    "an end of a failure": ("ROLLBACK",),
    "an end and the default": ("COMMIT", "SET default_transaction_read_only = off"),
    "a reset": ("RESET ALL",),
}

LOGGED = SETTINGS.replace("log_min_messages = fatal", "log_min_messages = error") + (
    "log_statement = all\nlog_line_prefix = '@@%d@%a@@'\nlog_parameter_max_length = 0\n"
)

# Marks statements of the tests themselves.
TEST = "/* test */"

PAGES = ("jobs", "categories", "reviews", "policy", "exports", "people", "keys", "audit")


@pytest.fixture(scope="module")
def logging_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A server that logs each statement; its role `fencepost` owns the tables of its database `fencepost`."""
    with running_server(tmp_path_factory.mktemp("logging") / "server", LOGGED) as server:
        migrate(Settings(database_url=SecretStr(server.url())))
        yield server


@pytest.fixture(scope="module")
def source(logging_server: EmbeddedServer) -> Iterator[Database]:
    """The source as the application opens it."""
    database = Database("SOURCE_DATABASE_URL", logging_server.url(), read_only=True, remedy="")
    yield database
    database.close()


@pytest.fixture
def writer(logging_server: EmbeddedServer) -> Iterator[psycopg.Connection]:
    """A connection to the source that writes."""
    with psycopg.connect(logging_server.url(), autocommit=True) as connection:
        connection.execute("TRUNCATE jobs, moderation_logs")
        yield connection


@pytest.fixture
def settings(logging_server: EmbeddedServer, database_url: str) -> Settings:
    """Our own database elsewhere; the role of the source could do everything there."""
    return Settings(database_url=SecretStr(database_url), source_database_url=SecretStr(logging_server.url()))


def write_by_pool(source: Database, statements: tuple[str, ...]) -> None:
    for timeout in (None, 5):
        with source.transaction(timeout=timeout) as transaction:
            for statement in statements:
                transaction.execute(text(statement))
            transaction.execute(text("COMMIT"))


def write_by_leader(source: Database, statements: tuple[str, ...]) -> None:
    asyncio.run(_write_by_exports(source, statements, "leader"))


def write_by_follower(source: Database, statements: tuple[str, ...]) -> None:
    asyncio.run(_write_by_exports(source, statements, "follower"))


async def _write_by_exports(source: Database, statements: tuple[str, ...], who: str) -> None:
    leader = await source.connect_for_export()
    row = await (await leader.execute("SELECT pg_export_snapshot()")).fetchone()
    assert row is not None
    follower = await source.connect_for_export(beside=leader, snapshot=row[0])
    # Fresh ones, too: what an export does first must not be what keeps it from writing.
    fresh = await source.connect_for_export(beside=leader)
    try:
        for connection in [leader] if who == "leader" else [follower, fresh]:
            for statement in statements:
                await connection.execute(statement.encode())
            await connection.execute("COMMIT")
    finally:
        for connection in (leader, follower, fresh):
            await connection.close()


@pytest.mark.parametrize("write", [write_by_pool, write_by_leader, write_by_follower])
@pytest.mark.parametrize("unlucky", UNLUCKY)
@pytest.mark.parametrize("at_once", [False, True])
def test_no_connection_to_the_source_can_write(
    source: Database,
    writer: psycopg.Connection,
    write: Callable[[Database, tuple[str, ...]], None],
    unlucky: str,
    at_once: bool,
) -> None:
    """Whatever stands before it, an INSERT is refused on each connection, although the role owns the tables."""
    statements = (*UNLUCKY[unlucky], INSERT)

    with pytest.raises((FencepostError, psycopg.Error)):
        write(source, ("; ".join(statements),) if at_once else statements)

    assert writer.execute("SELECT count(*) FROM jobs").fetchone() == (0,)


def test_a_tour_sends_the_source_nothing_but_reads(
    databases: Databases,
    settings: Settings,
    writer: psycopg.Connection,
    logging_server: EmbeddedServer,
    run_core: Callable[..., subprocess.CompletedProcess[bytes]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """API, command line and pages together: each statement that reached the source reads, in a read-only transaction.

    No transaction got a number of its own meanwhile, as each does that writes anything.
    """
    job_id = insert_job(writer, is_prohibited=True, prompt="a harmless prompt")
    insert_log(writer, job_id, category_nsfw=True)
    writer.execute("VACUUM ANALYZE jobs, moderation_logs")
    source = logging_server.url()
    before, start = newest_transaction(writer), len(read_log(logging_server))

    tour_api(databases, settings)
    codes = [
        run_core(*command, SOURCE_DATABASE_URL=source).returncode
        for command in (
            ("check",),
            ("export", "--from", "2026-04-01T00:00:00Z", "--to", "2026-05-01T00:00:00Z", "--q", "harmless"),
            ("seed", "--jobs", "1"),
        )
    ]
    shown = tour_pages(databases, settings, monkeypatch, tmp_path, str(job_id))

    sent = [statement for statement in read_log(logging_server)[start:] if not statement.startswith(TEST)]
    assert codes == [0, 0, 1]
    assert "a harmless prompt" in shown
    assert len(sent) > 100
    assert sorted({statement for statement in sent if not reads(statement)}) == []
    assert newest_transaction(writer) == before


def newest_transaction(writer: psycopg.Connection) -> int:
    row = writer.execute(f"{TEST} SELECT pg_snapshot_xmax(pg_current_snapshot())::text".encode()).fetchone()
    assert row is not None
    return int(row[0])


def read_log(server: EmbeddedServer) -> list[str]:
    """Return the statements that the server has logged for its database `fencepost`, in order."""
    entries = (server.data / "server.log").read_text().split("@@")
    found = []
    for place, entry in zip(entries[1::2], entries[2::2], strict=True):
        match = re.match(r"LOG:\s+(?:statement|execute [^:]*): (.*)", entry, re.DOTALL)
        if match and place.startswith("fencepost@"):
            found.append(" ".join(match[1].split()))
    return found


def reads(statement: str) -> bool:
    """Tell whether a statement only reads, or sets what its own session does."""
    if statement.startswith("BEGIN"):
        return statement.endswith("READ ONLY")
    # What stands in quotes does nothing.
    bare = re.sub(r"'(?:[^']|'')*'", "''", statement)
    if re.search(r"\b(FOR (UPDATE|SHARE)|INTO|nextval|setval|pg_advisory\w*|INSERT|UPDATE|DELETE|lo_\w+)\b", bare):
        return False
    return (
        re.match(
            r"SELECT\b|WITH\b|TABLE\b|EXPLAIN \([^)]*\) (SELECT|TABLE)\b|COPY \(SELECT .*\) TO STDOUT|SHOW\b"
            r"|;$|DEALLOCATE ALL$|COMMIT$|ROLLBACK\b|SAVEPOINT\b|RELEASE\b|SET LOCAL\b|SET TRANSACTION SNAPSHOT\b",
            bare,
            re.IGNORECASE,
        )
        is not None
    )


def tour_api(databases: Databases, settings: Settings) -> None:
    api, key = create_api(databases, settings), make_key(databases, client=None)
    for target, headers in (
        (EXPORT, [("prefer", "count=exact")]),
        (f"{EXPORT}&q=harmless&category=nsfw&decision=reject", []),
        ("/health", []),
    ):
        assert ask(api, target, key, headers=headers).status == 200
    assert ask(api, f"/api/v1/jobs/export?{APRIL}&client_id=", key).status == 400


def tour_pages(
    databases: Databases, settings: Settings, monkeypatch: pytest.MonkeyPatch, folder: Path, job_id: str
) -> str:
    """Open every page as the demo person, with a job, its text, a search and a queue; return what was shown."""
    monkeypatch.setattr(type(st.context), "cookies", property(lambda _: {}))
    monkeypatch.setattr(type(st.context), "url", property(lambda _: "http://localhost:3051/"))
    demo = settings.model_copy(update={"fencepost_demo": True})
    provide(Resources(databases, demo, TicketOffice("x" * 43)))
    for name in PAGES:
        view = ROOT / "dashboard" / name / "page.py"
        (folder / name).mkdir()
        (folder / name / "page.py").write_text(f"import runpy\nrunpy.run_path({str(view)!r}, run_name='__main__')\n")
    shown = ""
    for name in PAGES:
        others = ", ".join(f"st.Page('{other}/page.py', url_path='{other}')" for other in PAGES if other != name)
        main = folder / f"{name}.py"
        main.write_text(
            f"import streamlit as st\nst.navigation([st.Page('{name}/page.py', default=True), {others}]).run()\n"
        )
        filters: list[dict[str, str]] = [{}]
        if name == "jobs":
            filters.append({"job": job_id, "q": "harmless", "decision": "reject"})
        for further in filters:
            app = AppTest.from_file(str(main), default_timeout=60)
            app.query_params.update({"from": "2026-04-01T00:00:00Z", "to": "2026-05-01T00:00:00Z"} | further)
            app.run()
            for key in ("show_prompts", "start", "verdict_agree"):
                for widget in [*app.toggle, *app.button]:
                    if str(widget.key).startswith(key):
                        (widget.set_value(True) if key == "show_prompts" else widget.click()).run()
                        break
            assert not app.exception
            shown += "\n".join([*(element.value for element in app.text), *map(_csv, app.dataframe), repr(app.main)])
    return shown


def _csv(frame: object) -> str:
    return str(frame.value.to_csv())  # type: ignore[attr-defined]


def test_the_log_would_show_a_write(writer: psycopg.Connection, logging_server: EmbeddedServer) -> None:
    """What the tour looks at shows a write where there is one."""
    start, before = len(read_log(logging_server)), newest_transaction(writer)

    writer.execute(sql.SQL(INSERT))

    assert [each for each in read_log(logging_server)[start:] if not each.startswith(TEST) and not reads(each)] == [
        INSERT
    ]
    assert newest_transaction(writer) > before
