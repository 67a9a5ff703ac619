"""The audit: one chain whoever writes at once, and nothing in it that cannot be read back as it was hashed."""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import dict_row
from pydantic import SecretStr

from core.actor import COMMAND_LINE, DEMO_PERSON
from core.audit.chain import EMPTY, Head, find_head, parse_head
from core.audit.events import Event, append, record
from core.audit.filter import AuditFilter
from core.audit.pages import page_events
from core.audit.verification import check_chain
from core.check.finding import Level
from core.check.run import run_checks
from core.db.databases import Databases
from core.db.startup import migrate, open_databases
from core.errors import DatabaseUnavailable, InvalidParameter, NotPossible
from core.settings import Settings
from tests.conftest import ROOT, TestServer
from tests.rules.test_grants import as_role, least, opened_with_least, roles, settings_of, two_roles  # noqa: F401

KEY = "a key of these tests, of 32 characters"


def events(connection: psycopg.Connection) -> list[dict[str, Any]]:
    """Return all events without time and hash, in their order."""
    query = "SELECT seq, event, actor, address, remote_address, subject, details FROM audit_events ORDER BY seq"
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query).fetchall()


def test_an_event_is_a_row(databases: Databases, connection: psycopg.Connection) -> None:
    """An event says who did what to whom, from where, and with which details."""
    actor = replace(DEMO_PERSON, address="ada@example.com", remote_address="192.0.2.7")

    record(databases, Event.JOBS_LISTED, actor, details={"filter": {"q": "É, =1"}, "shown": 3, "text": False})
    record(databases, Event.KEY_REVOKED, COMMAND_LINE, subject="abc")

    person = {"actor": "user:demo", "address": "ada@example.com", "remote_address": "192.0.2.7", "subject": None}
    shell = {"actor": "cli", "address": None, "remote_address": None, "subject": "abc"}
    details = {"filter": {"q": "É, =1"}, "shown": 3, "text": False}
    assert events(connection) == [
        {"seq": 1, "event": "jobs-listed", **person, "details": details},
        {"seq": 2, "event": "key-revoked", **shell, "details": {}},
    ]


@pytest.mark.parametrize(
    "details",
    [
        {"text": "\N{SNOWMAN} \U0001f512 \u2028 \x7f \x01 \\u0000 \" '"},
        {"bb": 1, "a": 2, "É": [None, True, False, {"z": -1, "y": 10**30}]},
        {"": "", "10": [], "9": {}},
        {"nul": "a\0b", "half": "a\ud800b"},
    ],
)
@pytest.mark.parametrize("key", [None, KEY.encode()])
def test_what_is_hashed_is_what_is_read_back(databases: Databases, details: dict[str, Any], key: bytes | None) -> None:
    """Whatever the details hold, the row that is read back has the hash that was stored; with and without a key."""
    keyed = replace(databases, audit_key=key)

    for _ in range(3):
        record(keyed, Event.JOBS_LISTED, replace(DEMO_PERSON, address="a\0\udfff"), subject="\0", details=details)

    assert check_chain(keyed, find_head(databases.ours)).startswith("The audit is one unbroken chain of 3 events")


def test_a_fraction_is_refused(databases: Databases, connection: psycopg.Connection) -> None:
    """What could read back otherwise than it was hashed is a fault of the caller, and no row."""
    with pytest.raises(TypeError):
        record(databases, Event.JOBS_LISTED, DEMO_PERSON, details={"seconds": [1.0]})

    assert events(connection) == []


def test_an_event_is_committed_with_what_it_tells_of(databases: Databases, connection: psycopg.Connection) -> None:
    """What is rolled back leaves no event, and no gap in the numbers."""
    record(databases, Event.KEY_REVOKED, COMMAND_LINE)
    with databases.ours.transaction() as transaction:
        append(transaction, databases.audit_key, Event.KEY_REVOKED, COMMAND_LINE)
        transaction.rollback()

    record(databases, Event.KEY_REVOKED, COMMAND_LINE)

    assert [event["seq"] for event in events(connection)] == [1, 2]
    check_chain(databases)


def test_time_does_not_go_back(databases: Databases, connection: psycopg.Connection) -> None:
    """Where the clock was ahead and is set back, later events bear the time of the last one."""
    record(databases, Event.KEY_REVOKED, COMMAND_LINE)
    connection.execute("ALTER TABLE audit_events DISABLE TRIGGER ALL")
    connection.execute("UPDATE audit_events SET at = now() + interval '1 hour'")

    record(databases, Event.KEY_REVOKED, COMMAND_LINE)

    assert connection.execute("SELECT count(DISTINCT at) FROM audit_events").fetchone() == (1,)


@pytest.mark.parametrize("statement", ["UPDATE audit_events SET actor = 'x'", "DELETE FROM audit_events"])
@pytest.mark.parametrize("filled", [True, False])
def test_rows_stay_as_they_are(
    databases: Databases, connection: psycopg.Connection, statement: str, filled: bool
) -> None:
    """The table refuses every change, to its owner and to a superuser as well, whether it would touch a row or none."""
    if filled:
        record(databases, Event.KEY_REVOKED, COMMAND_LINE)

    with pytest.raises(psycopg.errors.RaiseException, match="audit_events is append-only"):
        connection.execute(statement.encode())
    with pytest.raises(psycopg.errors.RaiseException, match="TRUNCATE is refused"):
        connection.execute("TRUNCATE audit_events")

    assert len(events(connection)) == filled


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
def test_fifty_writers_make_one_chain(
    databases: Databases, settings: Settings, connection: psycopg.Connection, isolation: str
) -> None:
    """Fifty threads at once, over pools of several, leave numbers without gap and an unbroken chain, also where the
    database prefers another isolation."""
    name = connection.info.dbname
    connection.execute(f"ALTER DATABASE \"{name}\" SET default_transaction_isolation = '{isolation}'".encode())
    pools = [open_databases(settings) for _ in range(4)]
    failures: list[BaseException] = []
    start = threading.Barrier(50)

    def write(number: int) -> None:
        start.wait()
        try:
            for _ in range(4):
                record(pools[number % 4], Event.JOBS_LISTED, DEMO_PERSON, details={"writer": number})
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for pool in pools:
        pool.close()

    assert failures == []
    assert [event["seq"] for event in events(connection)] == list(range(1, 201))
    assert "one unbroken chain of 200 events" in check_chain(databases)


def test_several_processes_make_one_chain(
    databases: Databases, database_url: str, connection: psycopg.Connection
) -> None:
    """Processes that write at once, each with threads, leave one unbroken chain."""
    program = """
import sys, threading
from core.actor import COMMAND_LINE
from core.audit.events import Event, record
from core.db.startup import open_databases
from core.settings import load_settings

databases = open_databases(load_settings())
threads = [threading.Thread(target=record, args=(databases, Event.KEY_REVOKED, COMMAND_LINE)) for _ in range(17)]
sys.stdin.readline()
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
databases.close()
"""
    environment = {"DATABASE_URL": database_url, "PATH": "/usr/bin:/bin", "FENCEPOST_AUDIT_KEY": KEY}
    processes = [
        subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, env=environment, stdin=subprocess.PIPE)
        for _ in range(3)
    ]
    for process in processes:
        process.communicate(b"go\n", timeout=120)

    assert [process.returncode for process in processes] == [0, 0, 0]
    assert [event["seq"] for event in events(connection)] == list(range(1, 52))
    assert "unbroken chain of 51 events" in check_chain(replace(databases, audit_key=KEY.encode()))


def test_the_key_of_the_settings_is_the_key_of_the_chain(settings: Settings, databases: Databases) -> None:
    """FENCEPOST_AUDIT_KEY is what events are hashed with: another key gives another hash."""
    keyed = open_databases(settings.model_copy(update={"fencepost_audit_key": SecretStr(KEY)}))
    record(keyed, Event.KEY_REVOKED, COMMAND_LINE)
    keyed.close()

    assert "one unbroken chain of 1 event " in check_chain(replace(databases, audit_key=KEY.encode()))


def test_the_head_is_the_last_event(databases: Databases, connection: psycopg.Connection) -> None:
    """Without events the head is 0 and zeros; then the last row's number and hash, and what is printed reads back."""
    before = find_head(databases.ours)
    record(databases, Event.KEY_REVOKED, COMMAND_LINE)
    record(databases, Event.KEY_REVOKED, COMMAND_LINE)
    row = connection.execute("SELECT seq, hash FROM audit_events ORDER BY seq DESC").fetchone()

    after = find_head(databases.ours)

    assert row is not None
    assert (before, str(before)) == (EMPTY, "0:" + "0" * 64)
    assert (after, str(after)) == (Head(2, row[1]), f"2:{row[1].hex()}")
    assert [parse_head(str(head)) for head in (before, after)] == [before, after]


@pytest.mark.parametrize(
    "value", ["", "1", "1:", f"1:{'0' * 63}", f"-1:{'0' * 64}", f"1:{'g' * 64}", f"٣:{'0' * 64}", f"0:{'1' * 64}"]
)
def test_what_is_no_head_is_refused(value: str) -> None:
    """A head is a number, a colon and 64 hexadecimal digits; number 0 has the hash of zeros."""
    with pytest.raises(InvalidParameter, match="expect is not the head of an audit"):
        parse_head(value)


@pytest.fixture(scope="module")
def appended(server: TestServer) -> Iterator[tuple[Databases, psycopg.Connection]]:
    """The databases with the documented grants, and a session of the application's role that commits at once.

    One for all tests that only append: to migrate takes longer than all of them.
    """
    name = f"fencepost_test_{uuid4().hex[:12]}"
    url = server.create_empty(name)
    with (
        two_roles(url) as both,
        opened_with_least(url, both) as databases,
        psycopg.connect(as_role(url, both[1]), autocommit=True) as connection,
    ):
        yield databases, connection
    server.drop(name)


APPEND = "SELECT audit_append({seq}, {at}, 'jobs-listed', 'cli', NULL, NULL, NULL, '{{}}', NULL, sha256(''))"


@pytest.mark.parametrize(
    "values",
    [
        {"seq": str(2**63 - 1)},
        {"seq": "{last}"},
        {"seq": "{last} + 2"},
        {"seq": "-1"},
        {"seq": "NULL"},
        {"at": "'infinity'"},
        {"at": "'-infinity'"},
        {"at": "now() + interval '1 second'"},
        {"at": "now() - interval '2 minutes'"},
        {"at": "NULL"},
    ],
)
def test_the_application_chooses_neither_number_nor_time(
    appended: tuple[Databases, psycopg.Connection], values: dict[str, str]
) -> None:
    """Who has the application's role adds the next event, as of now, or none; others go on recording."""
    databases, writer = appended
    record(databases, Event.KEY_REVOKED, COMMAND_LINE)
    last = len(events(writer))

    usual = {"seq": "{last} + 1", "at": "clock_timestamp()"}
    chosen = {name: value.format(last=last) for name, value in (usual | values).items()}
    with pytest.raises(psycopg.errors.RaiseException, match="audit_events: the"):
        writer.execute(APPEND.format(**chosen).encode())
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        writer.execute(
            f"INSERT INTO audit_events VALUES ({last + 1}, now(), 'jobs-listed', 'cli', NULL, NULL, NULL, '{{}}',"
            " sha256(''))".encode()
        )

    record(databases, Event.JOBS_LISTED, COMMAND_LINE)

    assert f"one unbroken chain of {last + 1} events" in check_chain(databases)


def test_nobody_else_may_append(least: Databases, empty_database_url: str) -> None:  # noqa: F811
    """Whoever may only connect can neither add an event nor keep others from it."""
    with psycopg.connect(as_role(empty_database_url, "pg_monitor")) as connection:
        for statement in ("SELECT audit_begin()", APPEND.format(seq=1, at="now()"), "LOCK TABLE audit_lock"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())
            connection.rollback()
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('fencepost audit', 0))")

        record(least, Event.JOBS_LISTED, COMMAND_LINE)


@pytest.mark.parametrize(("seq", "at"), [(2**63 - 1, "now()"), (5, "'infinity'"), (5, "'9999-12-31Z'")])
def test_what_stands_there_already_bricks_nothing(
    databases: Databases, connection: psycopg.Connection, seq: int, at: str
) -> None:
    """A row that an owner has put there with a number or time that is none does not stop those after it."""
    record(databases, Event.JOBS_LISTED, COMMAND_LINE)
    connection.execute(
        f"INSERT INTO audit_events VALUES ({seq}, {at}, 'x', 'x', NULL, NULL, NULL, '{{}}', sha256(''))".encode()
    )

    record(databases, Event.JOBS_LISTED, COMMAND_LINE)
    record(databases, Event.JOBS_LISTED, COMMAND_LINE)
    with databases.ours.transaction() as transaction:
        page = page_events(transaction, AuditFilter(), databases.ours.folding(), after=None, limit=10)

    assert len([row for row in page.rows if row.event == "jobs-listed"]) == 3
    assert find_head(databases.ours).seq in (3, 7)
    with pytest.raises(NotPossible):
        check_chain(databases)


def test_an_event_without_the_key_is_refused_after_one_with_it(
    databases: Databases, connection: psycopg.Connection
) -> None:
    """A command in a shell without FENCEPOST_AUDIT_KEY says so, and leaves the chain as it is."""
    keyed = replace(databases, audit_key=KEY.encode())
    record(databases, Event.JOBS_LISTED, COMMAND_LINE)
    record(keyed, Event.JOBS_LISTED, COMMAND_LINE)

    with pytest.raises(DatabaseUnavailable, match="FENCEPOST_AUDIT_KEY is not set here: set it"):
        record(databases, Event.JOBS_LISTED, COMMAND_LINE)
    record(keyed, Event.JOBS_LISTED, COMMAND_LINE)

    assert len(events(connection)) == 3
    assert check_chain(keyed, find_head(keyed.ours)).startswith("The audit is one unbroken chain of 3 events")


def test_a_lock_that_is_held_is_said(databases: Databases, settings: Settings, connection: psycopg.Connection) -> None:
    """While a session that may holds the chain, others are told to try again; `core check` names it."""
    with psycopg.connect(settings.database_url.get_secret_value() if settings.database_url else "") as holder:
        holder.execute("SELECT audit_begin()")
        pid = holder.info.backend_pid
        with pytest.raises(
            DatabaseUnavailable, match=r"Another session is holding a lock in the database .*: try again"
        ):
            record(databases, Event.JOBS_LISTED, COMMAND_LINE)
        problems = [found.text for found in run_checks(databases, settings) if found.level is Level.PROBLEM]

    assert len(problems) == 1
    assert re.fullmatch(
        rf"Process {pid} of the role \w+ has been holding the audit's lock for \d+ s, and "
        r"nothing can be recorded meanwhile: end it, if it is stuck\.",
        problems[0],
    )


def test_the_migration_keeps_the_right_to_append(
    empty_database_url: str,
    roles: tuple[str, str],  # noqa: F811
) -> None:
    """Who could INSERT before may call the function after it, and INSERT no longer."""
    owner, app = roles
    settings = settings_of(empty_database_url, roles)
    with psycopg.connect(as_role(empty_database_url, owner), autocommit=True) as connection:
        connection.execute(f"ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT ON TABLES TO {app}".encode())
    migrate(settings)

    opened = open_databases(settings)
    record(opened, Event.JOBS_LISTED, COMMAND_LINE)
    opened.close()

    with psycopg.connect(as_role(empty_database_url, app)) as connection:
        assert connection.execute("SELECT has_table_privilege('audit_events', 'INSERT')").fetchone() == (False,)
