"""The check of the audit: each kind of tampering is found at its first row; what is not proved is said."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from pydantic import SecretStr

from core.actor import DEMO_PERSON
from core.audit.chain import GENESIS, Head, chain_hash, find_head, name_key
from core.audit.events import Event, record
from core.audit.verification import BATCH, check_chain
from core.db.databases import Databases
from core.db.startup import open_databases
from core.errors import NotPossible
from core.settings import Settings

KEY = b"a key of these tests, of 32 characters"

RunCore = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture(params=[KEY, None], ids=["keyed", "plain"])
def chained(request: pytest.FixtureRequest, databases: Databases) -> Databases:
    """Databases with a chain of ten events, with a key and without one."""
    keyed = replace(databases, audit_key=request.param)
    add(keyed, 10)
    return keyed


def add(databases: Databases, number: int) -> None:
    actor = replace(DEMO_PERSON, address="ada@example.com", remote_address="192.0.2.7")
    for _ in range(number):
        record(databases, Event.JOBS_LISTED, actor, subject="a subject", details={"shown": 3})


@contextmanager
def tampering(connection: psycopg.Connection) -> Iterator[Callable[[str], Any]]:
    """Change the table as somebody can who is a superuser: without its trigger and its constraints."""
    connection.execute("SET session_replication_role = replica")
    connection.execute("ALTER TABLE audit_events DROP CONSTRAINT audit_events_pkey")
    yield lambda statement: connection.execute(statement.encode())
    connection.execute("SET session_replication_role = DEFAULT")


def finding(databases: Databases, expected: Head | None = None) -> str:
    with pytest.raises(NotPossible) as caught:
        check_chain(databases, expected)
    return str(caught.value)


def hash_anew(connection: psycopg.Connection, key: bytes | None) -> None:
    """Hash all rows as they stand, as somebody does who knows how, with the key or without."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute("SELECT * FROM audit_events ORDER BY seq").fetchall()
    previous = GENESIS
    for row in rows:
        values = {name: value for name, value in row.items() if name != "hash"}
        values["key_id"] = key_id = None if key is None else name_key(key)
        previous = chain_hash(key, previous, values)
        connection.execute(
            "UPDATE audit_events SET hash = %s, key_id = %s WHERE seq = %s", [previous, key_id, row["seq"]]
        )


def test_an_unbroken_chain_is_proved(chained: Databases) -> None:
    """The sentence names number and head, and says what is not proved."""
    head = find_head(chained.ours)

    alone, noted = check_chain(chained), check_chain(chained, head)

    unbroken = f"The audit is one unbroken chain of 10 events up to {head}."
    assert alone.startswith(f"{unbroken} A cut tail is found only against a head that was noted earlier: --expect")
    assert noted.startswith(unbroken)
    assert "tail" not in noted
    assert ("does not prove" in alone, "does not prove" in noted) == ((chained.audit_key is None),) * 2


def test_an_empty_chain_is_unbroken(databases: Databases) -> None:
    """Before the first event there is nothing to find, unless something was noted."""
    assert "unbroken chain of 0 events" in check_chain(databases)
    assert "unbroken chain of 0 events" in check_chain(databases, Head(0, GENESIS))
    assert finding(databases, Head(3, bytes(32))).startswith("Row 1 was removed: the tail was cut after row 0")


@pytest.mark.parametrize(
    "change",
    [
        "at = at + interval '1 microsecond'",
        "at = 'infinity'",
        "at = '-infinity'",
        "at = '4000-01-01 BC'",
        "event = 'job-opened'",
        "actor = 'user:somebody'",
        "address = NULL",
        "address = ''",
        "remote_address = '192.0.2.8'",
        "subject = 'another'",
        "details = details || '{\"shown\": 4}'",
        "details = details || '{\"shown\": 3.0}'",
        "details = 'null'",
        "details = jsonb_build_object('shown', ('1' || repeat('0', 5000))::numeric)",
        "details = (repeat('[', 5000) || repeat(']', 5000))::jsonb",
    ],
)
def test_a_changed_column_is_found(databases: Databases, connection: psycopg.Connection, change: str) -> None:
    """Whichever column was changed, and whatever it says now, the row is named."""
    keyed = replace(databases, audit_key=KEY)
    add(keyed, 5)
    with tampering(connection) as tamper:
        tamper(f"UPDATE audit_events SET {change} WHERE seq = 4")

    assert finding(keyed) == "Row 4 was changed: row 5 still continues what it was."


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (1, "Row 1 was changed: row 2 still continues what it was."),
        (10, "Row 10 is not what was recorded after row 9: it was changed or inserted"),
    ],
)
def test_a_change_at_either_end_is_found(
    chained: Databases, connection: psycopg.Connection, row: int, sentence: str
) -> None:
    """The first row and the last are protected as those between them are; with a key and without."""
    with tampering(connection) as tamper:
        tamper(f"UPDATE audit_events SET actor = 'user:somebody' WHERE seq = {row}")

    assert finding(chained).startswith(sentence)


def test_a_changed_hash_is_found(chained: Databases, connection: psycopg.Connection) -> None:
    """A row whose hash was changed is named, not the one after it."""
    with tampering(connection) as tamper:
        tamper("UPDATE audit_events SET hash = sha256(hash) WHERE seq = 5")

    assert finding(chained).startswith("Row 5 is not what was recorded after row 4: it was changed or inserted")


@pytest.mark.parametrize(
    ("condition", "sentence"),
    [
        ("seq = 1", "Row 1 was removed: the next row is 2."),
        ("seq = 5", "Row 5 was removed: the next row is 6."),
        ("seq BETWEEN 5 AND 8", "Rows 5 to 8 were removed: the next row is 9."),
    ],
)
def test_a_removed_row_is_found(
    chained: Databases, connection: psycopg.Connection, condition: str, sentence: str
) -> None:
    """A gap is named by the rows that are missing."""
    with tampering(connection) as tamper:
        tamper(f"DELETE FROM audit_events WHERE {condition}")

    assert finding(chained) == sentence


@pytest.mark.parametrize(
    ("first", "last", "sentence"),
    [
        (1, 1, "Row 1 was removed, and the rows after it renumbered."),
        (4, 6, "Rows 4 to 6 were removed, and the rows after it renumbered."),
    ],
)
def test_renumbering_hides_no_removal(
    chained: Databases, connection: psycopg.Connection, first: int, last: int, sentence: str
) -> None:
    """Where the gap was closed by renumbering, the rows that are missing are still named."""
    with tampering(connection) as tamper:
        tamper(f"DELETE FROM audit_events WHERE seq BETWEEN {first} AND {last}")
        tamper(f"UPDATE audit_events SET seq = seq - {last - first + 1} WHERE seq > {last}")

    assert finding(chained) == sentence


INSERT = "INSERT INTO audit_events SELECT {}, at, event, 'x', address, remote_address, subject, details, hash"


def test_an_inserted_row_is_found(chained: Databases, connection: psycopg.Connection) -> None:
    """A row in between, for which the later ones made room, is named."""
    with tampering(connection) as tamper:
        tamper("UPDATE audit_events SET seq = seq + 1 WHERE seq > 4")
        tamper(f"{INSERT.format(5)} FROM audit_events WHERE seq = 4")

    assert finding(chained) == "Row 5 was inserted, and the rows after it renumbered."


@pytest.mark.parametrize(
    ("seq", "sentence"),
    [
        (11, "Row 11 is not what was recorded after row 10: it was changed or inserted"),
        (4, "Row 4 was inserted: the row before it has the number 4."),
        (0, "Row 0 was inserted: the row before it has the number 0."),
        (-7, "Row -7 was inserted"),
    ],
)
def test_a_row_beside_the_others_is_found(
    chained: Databases, connection: psycopg.Connection, seq: int, sentence: str
) -> None:
    """A row at the end, before the beginning, or with a number that is taken is named, too."""
    with tampering(connection) as tamper:
        tamper(f"{INSERT.format(seq)} FROM audit_events WHERE seq = 4")

    said = finding(chained)

    # Of two rows with one number either may be met first.
    assert said.startswith((sentence, "Row 4 is not what was recorded")) if seq == 4 else said.startswith(sentence)


def test_rows_that_changed_places_are_found(chained: Databases, connection: psycopg.Connection) -> None:
    """Two rows whose numbers were exchanged are both named."""
    with tampering(connection) as tamper:
        tamper("UPDATE audit_events SET seq = 11 - seq WHERE seq IN (5, 6)")

    assert finding(chained) == "Row 5 was changed: it has changed places with row 6."


def test_a_cut_tail_is_found_against_a_noted_head(chained: Databases, connection: psycopg.Connection) -> None:
    """Rows that are missing at the end are found with a head that was noted before, and without one said not to be."""
    noted = find_head(chained.ours)
    with tampering(connection) as tamper:
        tamper("DELETE FROM audit_events WHERE seq > 7")

    assert finding(chained, noted) == "Row 8 was removed: the tail was cut after row 7, and row 10 was noted."
    assert "A cut tail is found only against a head" in check_chain(chained)


def test_a_tail_that_was_written_anew_is_found(chained: Databases, connection: psycopg.Connection) -> None:
    """Rows that replace a cut tail do not have the hash that was noted; events after the head do no harm."""
    noted = find_head(chained.ours)
    add(chained, 3)
    check_chain(chained, noted)
    with tampering(connection) as tamper:
        tamper("DELETE FROM audit_events WHERE seq > 7")
    add(chained, 5)

    assert finding(chained, noted).startswith("Row 10 is not the one that was noted")


def test_rows_hashed_anew_without_the_key_are_found(databases: Databases, connection: psycopg.Connection) -> None:
    """With a key, a chain that was written anew without it convinces nobody; without one only a noted head finds it."""
    keyed, plain = replace(databases, audit_key=KEY), databases
    add(keyed, 10)
    noted = find_head(databases.ours)
    with tampering(connection) as tamper:
        tamper("UPDATE audit_events SET actor = 'user:somebody' WHERE seq = 3")
        hash_anew(connection, None)

    assert finding(keyed).startswith("Row 10 and all before it were hashed without FENCEPOST_AUDIT_KEY")
    assert finding(keyed, noted).startswith("Row 10 is not the one that was noted")
    assert finding(plain, noted).startswith("Row 10 is not the one that was noted")
    assert "has written it anew" in check_chain(plain)


def test_rows_hashed_anew_with_the_key_need_a_noted_head(databases: Databases, connection: psycopg.Connection) -> None:
    """Who has the key can write the chain anew; the head that was noted before still finds it."""
    keyed = replace(databases, audit_key=KEY)
    add(keyed, 10)
    noted = find_head(databases.ours)
    with tampering(connection) as tamper:
        tamper("UPDATE audit_events SET actor = 'user:somebody' WHERE seq = 3")
        hash_anew(connection, KEY)

    check_chain(keyed)
    assert finding(keyed, noted).startswith("Row 10 is not the one that was noted")


def test_a_key_that_was_set_later_is_said(databases: Databases, connection: psycopg.Connection) -> None:
    """Rows from before the key are named by the last of them, and count only where a noted head vouches for them."""
    keyed = replace(databases, audit_key=KEY)
    add(databases, 4)
    noted = find_head(databases.ours)
    add(keyed, 3)

    assert finding(keyed).startswith("Row 4 and all before it were hashed without FENCEPOST_AUDIT_KEY")
    assert check_chain(keyed, noted).endswith(
        "Row 4 and all before it have no FENCEPOST_AUDIT_KEY; the noted head vouches for them."
    )
    with tampering(connection) as tamper:
        tamper("UPDATE audit_events SET actor = 'user:somebody' WHERE seq = 2")
    assert finding(keyed, noted).startswith("Row 2 was changed")


def test_rows_without_the_key_after_rows_with_it_are_found(
    databases: Databases, connection: psycopg.Connection
) -> None:
    """Once the key is set, rows without it were inserted, or are of a process that ran without the key."""
    keyed = replace(databases, audit_key=KEY)
    add(keyed, 5)
    with tampering(connection) as tamper:
        hash_anew(connection, None)
        tamper("UPDATE audit_events SET key_id = NULL")
        tamper("CREATE TABLE plain AS SELECT * FROM audit_events WHERE seq > 3")
        tamper("UPDATE audit_events SET seq = seq WHERE seq <= 3")
        tamper("DELETE FROM audit_events WHERE seq > 3")
        hash_anew(connection, KEY)
        previous = find_head(databases.ours).hash
        tamper("INSERT INTO audit_events SELECT * FROM plain")
        for row in connection.cursor(row_factory=dict_row).execute("SELECT * FROM plain ORDER BY seq").fetchall():
            previous = chain_hash(None, previous, {name: value for name, value in row.items() if name != "hash"})
            connection.execute("UPDATE audit_events SET hash = %s WHERE seq = %s", [previous, row["seq"]])

    assert finding(keyed) == (
        "Rows 4 to 5 were hashed without FENCEPOST_AUDIT_KEY, after rows that were hashed with it: they were inserted "
        "or written anew, or a process ran without the key."
    )


def test_every_break_is_named(databases: Databases, connection: psycopg.Connection) -> None:
    """One break does not hide those after it; what lies between them is still proved, and a later change is found."""
    keyed = replace(databases, audit_key=KEY)
    add(keyed, 30)
    with tampering(connection) as tamper:
        tamper("UPDATE audit_events SET actor = 'user:somebody' WHERE seq IN (3, 8)")
        tamper("DELETE FROM audit_events WHERE seq BETWEEN 12 AND 14")
        tamper("UPDATE audit_events SET seq = 41 - seq WHERE seq IN (20, 21)")
        tamper("UPDATE audit_events SET subject = NULL WHERE seq = 25")
        tamper(f"{INSERT.format(2**63 - 1)} FROM audit_events WHERE seq = 4")

    assert finding(keyed) == (
        "Row 3 was changed: row 4 still continues what it was. "
        "Row 8 was changed: row 9 still continues what it was. "
        "Rows 12 to 14 were removed: the next row is 15. "
        "Row 20 was changed: it has changed places with row 21. "
        "Row 25 was changed: row 26 still continues what it was. "
        f"Row {2**63 - 1} was inserted: events never get such a number."
    )


def test_breaks_after_a_renumbering_are_named(chained: Databases, connection: psycopg.Connection) -> None:
    """Rows that were renumbered are judged by the numbers that they had."""
    with tampering(connection) as tamper:
        tamper("DELETE FROM audit_events WHERE seq = 3")
        tamper("UPDATE audit_events SET seq = seq - 1 WHERE seq > 3")
        tamper("UPDATE audit_events SET actor = 'user:somebody' WHERE seq = 6")

    assert finding(chained) == (
        "Row 3 was removed, and the rows after it renumbered. Row 6 was changed: row 7 still continues what it was."
    )


def test_of_many_breaks_the_first_are_named(databases: Databases, connection: psycopg.Connection) -> None:
    """However much was touched, the sentence stays readable and says how many breaks it leaves out."""
    keyed = replace(databases, audit_key=KEY)
    add(keyed, 120)
    with tampering(connection) as tamper:
        tamper("UPDATE audit_events SET actor = 'user:somebody' WHERE seq % 2 = 0 AND seq < 120")

    said = finding(keyed)

    assert said.count(" was changed: ") == 50
    assert said.endswith("There are 9 more breaks.")


def test_a_key_is_rotated(databases: Databases, settings: Settings, connection: psycopg.Connection) -> None:
    """Rows name the key that they were hashed with; former ones are given for checking, and the new one is used."""
    add(replace(databases, audit_key=KEY), 3)
    other = {"fencepost_audit_key": SecretStr("the next key"), "fencepost_audit_former_keys": SecretStr(KEY.decode())}
    rotated = open_databases(settings.model_copy(update=other))
    add(rotated, 2)

    proved = check_chain(rotated)
    alone = finding(replace(rotated, former_audit_keys=()))
    ids = connection.execute("SELECT key_id, count(*) FROM audit_events GROUP BY 1 ORDER BY 2").fetchall()
    rotated.close()

    assert proved.startswith("The audit is one unbroken chain of 5 events")
    assert ids == [(name_key(b"the next key"), 2), (name_key(KEY), 3)]
    assert alone.startswith("Row 1 and others were hashed with a FENCEPOST_AUDIT_KEY that is not given here (its id is")


def test_a_chain_from_before_keys_had_names_is_proved(databases: Databases, connection: psycopg.Connection) -> None:
    """Rows that name no key are tried with each, so that nothing needs to be hashed anew."""
    keyed = replace(databases, audit_key=KEY)
    add(keyed, 3)
    with tampering(connection) as tamper, connection.cursor(row_factory=dict_row) as cursor:
        previous = GENESIS
        for row in cursor.execute("SELECT * FROM audit_events ORDER BY seq").fetchall():
            values = {name: value for name, value in row.items() if name not in ("hash", "key_id")}
            previous = chain_hash(KEY, previous, values)
            connection.execute(
                "UPDATE audit_events SET hash = %s, key_id = NULL WHERE seq = %s", [previous, row["seq"]]
            )
        tamper("ALTER TABLE audit_events ADD PRIMARY KEY (seq)")
    add(keyed, 2)

    assert check_chain(keyed).startswith("The audit is one unbroken chain of 5 events")


@pytest.mark.parametrize(
    ("used", "given", "sentence"),
    [
        (KEY, b"another key of the same 32 characters", "add that key to FENCEPOST_AUDIT_FORMER_KEYS."),
        (KEY, None, "add that key to FENCEPOST_AUDIT_FORMER_KEYS."),
    ],
)
def test_a_wrong_key_is_said(databases: Databases, used: bytes, given: bytes | None, sentence: str) -> None:
    """With another key than the rows', or without one, the first row is named with the likely reason."""
    add(replace(databases, audit_key=used), 3)

    said = finding(replace(databases, audit_key=given))

    assert said.startswith("Row 1 and others were hashed with a FENCEPOST_AUDIT_KEY that is not given here (its id is")
    assert name_key(used) in said
    assert said.endswith(sentence)


def test_a_long_chain_is_read_in_batches(databases: Databases, connection: psycopg.Connection) -> None:
    """Across batches nothing is lost: a change in the last of them is found, too."""
    connection.execute(
        """
        INSERT INTO audit_events
        SELECT n, '2026-04-15T12:00:00Z', 'jobs-listed', 'cli', NULL, NULL, NULL, '{}', sha256('') FROM
        generate_series(1, %s) AS n
        """,
        [3 * BATCH + 1],
    )
    with tampering(connection) as tamper:
        hash_anew(connection, None)
        assert f"{3 * BATCH + 1:,} events" in check_chain(databases)
        tamper(f"UPDATE audit_events SET actor = 'x' WHERE seq = {3 * BATCH}")

    assert finding(databases).startswith(f"Row {3 * BATCH} was changed")


def test_the_shell_prints_the_head_and_nothing_else(databases: Databases, run_core: RunCore) -> None:
    """`audit head` is a line that `audit verify --expect` takes."""
    empty = run_core("audit", "head")
    add(databases, 2)

    head = run_core("audit", "head")
    done = run_core("audit", "verify", "--expect", head.stdout.decode().strip())

    assert (empty.returncode, empty.stdout, empty.stderr) == (0, b"0:" + b"0" * 64 + b"\n", b"")
    assert (head.returncode, head.stdout, head.stderr) == (0, f"{find_head(databases.ours)}\n".encode(), b"")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"The audit is one unbroken chain of 2 events")


def test_the_shell_says_what_is_wrong(databases: Databases, connection: psycopg.Connection, run_core: RunCore) -> None:
    """`audit verify` exits with 1 and one line where the chain is broken, and with 2 for what is no head."""
    add(replace(databases, audit_key=KEY), 3)
    with tampering(connection) as tamper:
        tamper("DELETE FROM audit_events WHERE seq = 2")

    broken = run_core("audit", "verify", FENCEPOST_AUDIT_KEY=KEY.decode())
    usage = run_core("audit", "verify", "--expect", "3:abc")

    assert (broken.returncode, broken.stdout) == (1, b"")
    assert broken.stderr == b"Error: Row 2 was removed: the next row is 3.\n"
    assert (usage.returncode, usage.stdout) == (2, b"")
    assert usage.stderr.startswith(b"Error: expect is not the head of an audit")
