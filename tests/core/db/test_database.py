"""Databases: how they are named, opened, and what is said where they cannot be used."""

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import LiteralString
from urllib.parse import quote, urlencode
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr
from sqlalchemy import text

from core.check.finding import Level, problem
from core.check.run import run_checks
from core.cli.runner import open_checked
from core.db.address import parse_address
from core.db.database import Database
from core.db.databases import Databases
from core.db.embedded import EmbeddedServer
from core.db.startup import migrate, open_databases
from core.errors import (
    DatabaseUnavailable,
    FencepostError,
    InvalidSetting,
    NotPossible,
    QueryTooSlow,
    StatementDropped,
)
from core.settings import Settings
from tests.conftest import ROOT, TestServer
from tests.support.changed_tables import CHANGED_TABLES, change_while_waiting
from tests.support.documents import april, export_document, read_records
from tests.support.rows import NOON, insert_job, insert_log

PASSWORD = "hunter2 / secret"  # with characters that a URL has to escape


@pytest.fixture(scope="module")
def strict_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The libpq parameters of a server that asks the role `careful` for its password, in database `careful`."""
    server = EmbeddedServer(tmp_path_factory.mktemp("strict"))
    server.start()
    with psycopg.connect(server.url(role="postgres", database="postgres"), autocommit=True) as connection:
        statement = psycopg.sql.SQL("CREATE ROLE careful LOGIN PASSWORD {}").format(PASSWORD)
        connection.execute(statement)
        connection.execute("CREATE DATABASE careful OWNER careful")
        rules = server.data / "pg_hba.conf"
        rules.write_text("local all careful scram-sha-256\n" + rules.read_text())
        connection.execute("SELECT pg_reload_conf()")
    yield f"host={quote(str(server.sockets))}"
    server.stop()


def opened(url: str, then: Callable[[Databases], object] = lambda _: None, **others: str) -> None:
    """Open the databases as commands do, check them, do something, and close them."""
    settings = Settings.model_validate({"database_url": url} | others)
    databases = open_databases(settings)
    try:
        databases.check()
        then(databases)
    finally:
        databases.close()


def refusal(url: str, **others: str) -> str:
    """Return what is said where a database cannot be used; it is one line and never holds a password."""
    with pytest.raises(FencepostError) as caught:
        opened(url, lambda _: None, **others)
    message = str(caught.value)
    assert "\n" not in message
    assert "hunter2" not in message
    assert "secret" not in message
    return message


@pytest.mark.parametrize("scheme", ["postgresql://", "postgres://", "postgresql+psycopg://", "  postgres+psycopg://"])
def test_all_forms_of_an_address_are_alike(database_url: str, scheme: str) -> None:
    """`postgresql://`, `postgres://` and `postgresql+psycopg://` name the same database."""
    opened(database_url.replace("postgresql://", scheme))


@pytest.mark.parametrize(
    "url",
    [
        "mysql://fencepost:hunter2@localhost/fencepost",
        "sqlite:///hunter2.db",
        "host=localhost password=hunter2",
        "fencepost",
        "postgresql://fencepost:hunter2 secret@localhost/fencepost",
        "jdbc:postgresql://localhost/fencepost?user=fencepost&password=hunter2",
        "POSTGRESQL://fencepost:hunter2@localhost/fencepost",
        " ",
    ],
)
@pytest.mark.parametrize("setting", ["DATABASE_URL", "SOURCE_DATABASE_URL"])
def test_what_is_no_address_of_postgresql_is_refused(database_url: str, url: str, setting: str) -> None:
    """An address of something else is refused by the name of its setting, without repeating it."""
    urls = {"database_url": database_url, setting.lower(): url}

    assert refusal(urls.pop("database_url"), **urls) == (
        f"{setting} is not an address of PostgreSQL: write it as postgresql://user:password@host:5432/database."
    )


def test_a_missing_database_is_named_with_the_command_that_makes_it(server: TestServer) -> None:
    """Where the database does not exist, the message says how to make it."""
    assert refusal(server.url_of("fencepost_there_is_none")) == (
        "There is no database fencepost_there_is_none in DATABASE_URL: "
        "make it with `createdb fencepost_there_is_none`, then run `python -m core migrate`."
    )


def test_a_source_that_is_missing_is_not_to_be_made(database_url: str, server: TestServer) -> None:
    """A source is never migrated: its name is wrong."""
    assert refusal(database_url, source_database_url=server.url_of("fencepost_there_is_none")) == (
        "There is no database fencepost_there_is_none in SOURCE_DATABASE_URL: correct its name."
    )


@pytest.mark.parametrize(("address", "place"), [("127.0.0.1:1", "127.0.0.1:1"), ("%2Fnonexistent", "/nonexistent")])
def test_a_server_that_is_down_is_named(address: str, place: str) -> None:
    """Where nobody answers, the message says where, and to start PostgreSQL."""
    assert refusal(f"postgresql://fencepost:hunter2@{address}/jobs_db") == (
        f"Cannot reach the database jobs_db at {place}: start PostgreSQL or correct DATABASE_URL."
    )


def test_a_database_without_tables_is_to_be_migrated(empty_database_url: str) -> None:
    """Where the tables are missing, the message names the command."""
    assert refusal(empty_database_url) == (
        "The tables in DATABASE_URL are missing or old: run `python -m core migrate`."
    )


def test_a_source_without_tables_is_named(database_url: str, empty_database_url: str) -> None:
    """A source that lacks the jobs is not to be migrated by us: the message says what it needs."""
    assert refusal(database_url, source_database_url=empty_database_url) == (
        "SOURCE_DATABASE_URL lacks a table or column that Fencepost needs: "
        "give it the tables or views `jobs` and `moderation_logs` (see docs/own-database.md)."
    )


@pytest.mark.parametrize("password", ["hunter2", ""])
def test_a_wrong_password_is_refused_without_being_repeated(strict_server: str, password: str) -> None:
    """A wrong or missing password is told as such."""
    directory = conninfo_to_dict(f"postgresql:///?{strict_server}")["host"]

    assert refusal(f"postgresql://careful:{password}@/careful?{strict_server}") == (
        f"Cannot log in to the database careful at {directory}: correct the role or the password in DATABASE_URL."
    )


def test_the_check_says_in_one_line_that_it_cannot_log_in(strict_server: str) -> None:
    """`core check` has nothing else to tell where the role is refused."""
    url = f"postgresql://careful:hunter2@/careful?{strict_server}"
    settings = Settings(database_url=SecretStr(url))
    databases = open_databases(settings)
    directory = conninfo_to_dict(f"postgresql:///?{strict_server}")["host"]

    findings = list(run_checks(databases, settings))

    databases.close()
    assert findings == [
        problem(
            f"Cannot log in to the database careful at {directory}: correct the role or the password in DATABASE_URL."
        )
    ]


def test_an_unknown_role_is_refused_alike(strict_server: str) -> None:
    """A role that may not connect, or does not exist, is told as a wrong password is."""
    directory = conninfo_to_dict(f"postgresql:///?{strict_server}")["host"]

    assert refusal(f"postgresql://nobody:hunter2@/careful?{strict_server}") == (
        f"Cannot log in to the database careful at {directory}: correct the role or the password in DATABASE_URL."
    )


def test_a_role_without_rights_is_told_to_get_them(strict_server: str) -> None:
    """A role that may connect but not read is told what is missing; the owner of the tables is another."""
    owner = f"postgresql://careful:{quote(PASSWORD, safe='')}@/careful?{strict_server}"
    migrate(Settings(database_url=SecretStr(owner)))
    opened(owner)

    assert refusal(f"postgresql://fencepost@/careful?{strict_server}") == (
        "The role of DATABASE_URL lacks a right on Fencepost's tables: grant it (see docs/grants.md)."
    )


def test_a_database_is_named_without_its_password() -> None:
    """What is shown of a database is its name and its place."""
    database = Database(
        "DATABASE_URL", "postgresql://fencepost:hunter2@db.example.com:6432/jobs", read_only=False, remedy=""
    )

    assert str(database) == "the database jobs at db.example.com:6432"
    database.close()


@pytest.fixture
def apart(
    server: TestServer, database_url: str, empty_database_url: str, connection: psycopg.Connection
) -> Iterator[Databases]:
    """Our own database without jobs, and a source in another one without our tables."""
    insert_job(connection, prompt="of the source")
    connection.execute("DROP TABLE exports, api_keys, alembic_version")
    settings = Settings(database_url=SecretStr(empty_database_url), source_database_url=SecretStr(database_url))
    migrate(settings)
    databases = open_databases(settings)
    yield databases
    databases.close()


WRITES = [
    "DELETE FROM jobs",
    "INSERT INTO moderation_logs (job_id) VALUES (gen_random_uuid())",
    "CREATE TABLE more (x int)",
]


@pytest.mark.parametrize("statement", WRITES)
def test_the_source_cannot_be_written(apart: Databases, connection: psycopg.Connection, statement: str) -> None:
    """Every transaction on SOURCE_DATABASE_URL is read-only: writing fails, and nothing is changed."""
    with pytest.raises(DatabaseUnavailable) as caught, apart.source.transaction() as transaction:
        transaction.execute(text(statement))

    assert str(caught.value) == "SOURCE_DATABASE_URL cannot be written: name a database that is not read-only."
    assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (1,)


@pytest.mark.parametrize("statement", WRITES)
@pytest.mark.parametrize("name", ["source", "ours"])
def test_an_export_cannot_write(databases: Databases, apart: Databases, name: str, statement: str) -> None:
    """The connection of an export is read-only in any database, also in our own."""
    database = apart.source if name == "source" else databases.ours

    async def write() -> None:
        connection = await database.connect_for_export()
        try:
            await connection.execute(statement.encode())
        finally:
            await connection.close()

    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        asyncio.run(write())


def test_no_statement_touches_both(apart: Databases) -> None:
    """Exports and receipts work where neither database knows the other's tables."""
    document = export_document(apart, april())

    with apart.ours.transaction() as transaction:
        receipts = transaction.execute(text("SELECT status, rows FROM exports")).all()
    assert [record[6] for record in read_records(document)] == ["of the source"]
    assert [tuple(row) for row in receipts] == [("complete", 1)]


def test_the_source_may_have_several_hosts(
    server: TestServer, database_url: str, connection: psycopg.Connection
) -> None:
    """A libpq address with several hosts that prefers a standby is opened on the one that answers."""
    insert_job(connection, prompt="of the host that answers")
    parts = {name: str(value) for name, value in conninfo_to_dict(database_url).items()}
    parts |= {"host": f"/nonexistent,{parts['host']}", "target_session_attrs": "prefer-standby"}
    if "port" in parts:
        parts["port"] = f"1,{parts['port']}"
    documents = []

    opened(
        database_url,
        lambda databases: documents.append(export_document(databases, april())),
        source_database_url=f"postgresql:///?{urlencode(parts, quote_via=quote)}",
    )

    assert [[record[6] for record in read_records(document)] for document in documents] == [
        ["of the host that answers"]
    ]


def shown(databases: Databases, *names: str) -> list[str]:
    with databases.ours.transaction() as transaction:
        return [str(transaction.execute(text(f"SHOW {name}")).scalar_one()) for name in names]


def test_sessions_have_limits_of_their_own(databases: Databases) -> None:
    """Every session is limited alike, whatever role it belongs to; an export's lives as long as its reader reads."""

    async def shown_in_export() -> list[str]:
        connection = await databases.source.connect_for_export()
        try:
            names = (
                *("statement_timeout", "idle_in_transaction_session_timeout", "client_connection_check_interval"),
                *("transaction_isolation", "transaction_read_only", "client_encoding", "DateStyle", "TimeZone"),
            )
            rows = [await (await connection.execute(f"SHOW {name}".encode())).fetchone() for name in names]
            return [str(row[0]) for row in rows if row is not None]
        finally:
            await connection.close()

    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "client_encoding")
    assert shown(databases, *names, "DateStyle", "TimeZone") == ["15s", "5s", "1min", "UTF8", "ISO, MDY", "UTC"]
    assert asyncio.run(shown_in_export()) == ["0", "0", "1s", "repeatable read", "on", "UTF8", "ISO, MDY", "UTC"]


def test_sessions_obey_no_preference_that_ends_what_takes_long(
    databases: Databases, connection: psycopg.Connection
) -> None:
    """A role or database may end long transactions; ours are limited by statement, so that an import can last."""
    if connection.info.server_version < 170000:
        pytest.skip("transaction_timeout came with PostgreSQL 17")
    alter = psycopg.sql.SQL("ALTER DATABASE {} SET transaction_timeout = '100ms'")
    connection.execute(alter.format(psycopg.sql.Identifier(connection.info.dbname)))

    with databases.ours.transaction() as transaction:
        slept = transaction.execute(text("SELECT 1 FROM pg_sleep(0.3)")).scalar_one()

    assert slept == 1


def test_a_transaction_may_have_a_limit(databases: Databases) -> None:
    """A statement that takes longer than its limit is `QueryTooSlow`; the next transaction has the usual one."""
    with pytest.raises(QueryTooSlow) as caught, databases.ours.transaction(timeout=0.05) as transaction:
        transaction.execute(text("SELECT pg_sleep(60)"))

    assert str(caught.value) == "This search took too long; choose fewer days."
    assert shown(databases, "statement_timeout") == ["15s"]


def test_a_pool_recovers_when_the_server_has_dropped_its_connections(
    databases: Databases, connection: psycopg.Connection
) -> None:
    """After a restart of the server the next transaction gets a new connection."""
    shown(databases, "server_version")
    connection.execute(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    assert shown(databases, "statement_timeout") == ["15s"]


def test_an_error_tells_neither_statements_nor_values(databases: Databases, caplog: pytest.LogCaptureFixture) -> None:
    """What is said and logged of a refused statement is its class and SQLSTATE: anything more may quote a prompt."""
    caplog.set_level(logging.DEBUG, "fencepost")

    with pytest.raises(FencepostError) as caught, databases.ours.transaction() as transaction:
        transaction.execute(text("SELECT CAST(:prompt AS integer)"), {"prompt": "a confidential prompt"})

    assert str(caught.value) == ("The database refused a statement (SQLSTATE 22P02): this is a fault of Fencepost.")
    assert caught.value.__cause__ is None
    assert caplog.messages == ["database error: InvalidTextRepresentation 22P02 in DATABASE_URL"]


def test_a_source_of_other_types_is_told_to_be_checked(database_url: str, empty_database_url: str) -> None:
    """What queries cannot compare is no fault of ours: the message names the command that says more."""
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("CREATE TABLE jobs (job_id text); CREATE TABLE moderation_logs ()")

    def ask(databases: Databases) -> None:
        with databases.source.transaction() as transaction:
            transaction.execute(text("SELECT FROM jobs WHERE job_id > now()"))

    with pytest.raises(NotPossible) as caught:
        opened(database_url, ask, source_database_url=empty_database_url)

    assert str(caught.value) == (
        "SOURCE_DATABASE_URL does not answer a query as it should (SQLSTATE 42883): run `python -m core check`, which "
        "says what types and values are wrong there."
    )


def test_a_database_that_is_read_only_is_named(
    server: TestServer, database_url: str, connection: psycopg.Connection
) -> None:
    """Where our own database takes no writes, as a standby does, an export says so and does not begin."""
    alter = psycopg.sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on")
    connection.execute(alter.format(psycopg.sql.Identifier(connection.info.dbname)))

    with pytest.raises(DatabaseUnavailable) as caught:
        opened(database_url, lambda databases: export_document(databases, april()))

    assert str(caught.value) == "DATABASE_URL cannot be written: name a database that is not read-only."


def test_nothing_answers_in_the_place_of_the_catalogue(database_url: str, connection: psycopg.Connection) -> None:
    """A search_path that begins with a schema that has functions and tables of PostgreSQL's names changes nothing."""
    connection.execute("""
        CREATE SCHEMA "odd, one";
        SET search_path = "odd, one";
        CREATE FUNCTION pg_is_in_recovery() RETURNS boolean RETURN true;
        CREATE FUNCTION set_config(text, text, boolean) RETURNS text RETURN 'nothing was set';
        CREATE TABLE pg_proc (proname name, pronamespace regnamespace, oid oid);
    """)
    name = psycopg.sql.Identifier(connection.info.dbname)
    connection.execute(
        psycopg.sql.SQL('ALTER DATABASE {} SET search_path = "odd, one", pg_catalog, public').format(name)
    )
    asked = "SELECT pg_is_in_recovery(), current_setting('search_path'), current_setting('lock_timeout')"

    with open_checked(Settings(database_url=SecretStr(database_url))) as databases:
        with databases.ours.transaction() as transaction:
            by_pool = transaction.execute(text(asked)).one()
        by_export = asyncio.run(ask_as_export(databases.ours, asked))
        told = [finding.text for finding in run_checks(databases, Settings()) if finding.level is Level.PROBLEM]

    assert (tuple(by_pool), by_export) == ((False, '"odd, one", public', "5s"),) * 2
    assert told == []


async def ask_as_export(database: Database, statement: LiteralString) -> object:
    export = await database.connect_for_export()
    try:
        return await (await export.execute(statement)).fetchone()
    finally:
        await export.close()


def test_an_invalid_owner_is_named(database_url: str, tmp_path: Path) -> None:
    """MIGRATE_DATABASE_URL is checked as the others are."""
    settings = Settings(database_url=SecretStr(database_url), migrate_database_url=SecretStr("mysql://hunter2"))

    with pytest.raises(InvalidSetting) as caught:
        migrate(settings)

    assert str(caught.value) == (
        "MIGRATE_DATABASE_URL is not an address of PostgreSQL: "
        "write it as postgresql://user:password@host:5432/database."
    )


def test_another_encoding_is_found_at_start(
    server: TestServer, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A database that is not UTF8 is refused before anything is stored in it.

    A source that says nothing about its texts is read, and the log says at once what may come of it.
    """
    name = f"fencepost_test_{uuid4().hex[:12]}"
    create = "CREATE DATABASE {} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C'"
    server.execute(psycopg.sql.SQL(create).format(psycopg.sql.Identifier(name)))

    said = refusal(server.url_of(name))
    with psycopg.connect(server.url_of(name)) as source:
        source.execute("CREATE TABLE jobs (job_id uuid)")
        source.execute("CREATE TABLE moderation_logs (log_id bigint)")
    opened(database_url, source_database_url=server.url_of(name))

    server.drop(name)
    assert [record.getMessage().split(":")[0] for record in caplog.records if "SQL_ASCII" in record.getMessage()] == [
        "SOURCE_DATABASE_URL is encoded in SQL_ASCII, which checks nothing"
    ]
    assert said.startswith("DATABASE_URL is encoded in SQL_ASCII, and Fencepost needs UTF8: make a database with")


def test_tables_of_a_newer_version_are_left_alone(settings: Settings, connection: psycopg.Connection) -> None:
    """Old code says what it met, and neither reads nor migrates; what to do is in the docs."""
    connection.execute("UPDATE alembic_version SET version_num = 'fencepost_9999' WHERE version_num LIKE 'fencepost%'")
    assert settings.database_url is not None
    url = settings.database_url.get_secret_value()
    said = (
        "The tables in DATABASE_URL were made by a newer version of Fencepost: use that version, or restore a dump "
        "from before (see docs/upgrading.md)."
    )

    with pytest.raises(DatabaseUnavailable) as caught:
        migrate(settings)

    assert (refusal(url), str(caught.value)) == (said, said)
    assert (ROOT / "docs" / "upgrading.md").is_file()


def test_a_server_without_tls_is_said(database_url: str) -> None:
    """`sslmode=require` against a server without TLS names what to take out; a socket has no TLS, so here over TCP."""
    with silent_network(database_url) as (address, _):
        assert refusal(f"{address}?sslmode=require").endswith(
            "has no TLS: take `sslmode` out of DATABASE_URL, or turn TLS on."
        )


@contextmanager
def silent_network(url: str) -> Iterator[tuple[str, threading.Event]]:
    """A network between us and the server that says nothing more once its event is set; it closes no connection."""
    parts = conninfo_to_dict(url)
    silent, done = threading.Event(), threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    opened_sockets: list[socket.socket] = []

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while not done.is_set() and (data := source.recv(65536)):
                if not silent.is_set():
                    target.sendall(data)
            if not silent.is_set():
                target.shutdown(socket.SHUT_WR)

    def accept() -> None:
        while not done.is_set():
            with suppress(TimeoutError):
                client, _ = listener.accept()
                client.settimeout(60)
                if str(parts["host"]).startswith("/"):
                    server = socket.socket(socket.AF_UNIX)
                    server.connect(f"{parts['host']}/.s.PGSQL.{parts.get('port', 5432)}")
                else:
                    server = socket.create_connection((str(parts["host"]), int(str(parts.get("port", 5432)))))
                opened_sockets.extend((client, server))
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=pump, args=pair, daemon=True).start()

    thread = threading.Thread(target=accept)
    thread.start()
    user, password = quote(str(parts.get("user", ""))), quote(str(parts.get("password", "")), safe="")
    host = f"127.0.0.1:{listener.getsockname()[1]}"
    yield f"postgresql://{user}:{password}@{host}/{parts['dbname']}", silent
    done.set()
    thread.join()
    for each in (*opened_sockets, listener):
        each.close()


@pytest.mark.parametrize("is_idle", [True, False])
def test_a_host_that_vanishes_is_said_within_the_limit(database_url: str, is_idle: bool) -> None:
    """Neither a pooled connection nor a running query waits longer than a page may, when nothing is heard any more."""
    with silent_network(database_url) as (address, silent):
        database = Database(
            "DATABASE_URL", parse_address("DATABASE_URL", SecretStr(address)), read_only=False, remedy=""
        )
        with database.transaction(timeout=5) as transaction:
            transaction.execute(text("SELECT 1"))
        if is_idle:
            silent.set()
        begun = time.monotonic()

        def ask() -> None:
            with database.transaction(timeout=5) as transaction:
                silent.set()
                transaction.execute(text("SELECT pg_sleep(0.1)"))

        with pytest.raises(DatabaseUnavailable, match="does not answer: look at its server and at the network"):
            ask()
        took = time.monotonic() - begun
        database.close()
    # The server's own limit is 5 s; the rest is what the machine may be busy with.
    assert took < 15


@pytest.mark.parametrize("is_snapshot", [True, False])
@pytest.mark.parametrize("change", CHANGED_TABLES.values(), ids=CHANGED_TABLES)
def test_nothing_is_told_of_tables_that_have_changed_since_a_snapshot(
    databases: Databases, connection: psycopg.Connection, change: str, is_snapshot: bool
) -> None:
    """Rows that have moved since are not in what was read; a statement that is its own snapshot reads them all."""
    for created_at in (NOON, NOON - timedelta(days=10)):
        insert_log(connection, insert_job(connection, created_at=created_at))
    count = text("SELECT (SELECT count(*) FROM jobs), (SELECT count(*) FROM moderation_logs)")
    told: list[object] = []

    def read() -> None:
        try:
            with databases.source.transaction(timeout=30, is_snapshot=is_snapshot) as reading:
                counted = reading.execute(count).one()
            told.append(tuple(counted))
        except StatementDropped as error:
            told.append(str(error))

    change_while_waiting(connection, databases, change, read)

    refusal = "The tables that this reads have just been changed: try again in a few seconds."
    assert told == [refusal if is_snapshot else connection.execute(str(count)).fetchone()]
