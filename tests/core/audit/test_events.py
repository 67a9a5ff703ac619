"""The audit: one chain whoever writes at once, and nothing in it that cannot be read back as it was hashed."""

import subprocess
import sys
import threading
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from pydantic import SecretStr

from core.actor import COMMAND_LINE, DEMO_PERSON
from core.audit.chain import EMPTY, Head, find_head, parse_head
from core.audit.events import Event, append, record
from core.audit.verification import check_chain
from core.db.databases import Databases
from core.db.startup import open_databases
from core.errors import InvalidParameter
from core.settings import Settings
from tests.conftest import ROOT

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

    assert "one unbroken chain of 1 events" in check_chain(replace(databases, audit_key=KEY.encode()))


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
