"""Cutting the audit: what is left is one chain, nothing else can be removed, and every other gap is named."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.types.json import Jsonb
from sqlalchemy import event

from core.actor import HOUSE
from core.audit import cutting
from core.audit.chain import Head, find_head
from core.audit.cutting import cut_audit, find_cut
from core.audit.events import Event, record
from core.audit.verification import check_chain
from core.db.databases import Databases
from core.errors import NotPossible
from tests.core.audit.test_verification import KEY, add, finding, hash_anew, tampering

LATER = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def chained(request: pytest.FixtureRequest, databases: Databases, monkeypatch: pytest.MonkeyPatch) -> Databases:
    """Databases with a chain of ten events, with a key unless a test says otherwise; four rows are cut at once."""
    monkeypatch.setattr(cutting, "AT_ONCE", 4)
    keyed = replace(databases, audit_key=getattr(request, "param", KEY))
    add(keyed, 10)
    return keyed


def cut_old(databases: Databases, before: datetime) -> int:
    with databases.ours.transaction() as connection:
        return cut_audit(connection, databases, HOUSE, before)


def numbers(connection: psycopg.Connection) -> list[int]:
    return [seq for (seq,) in connection.execute("SELECT seq FROM audit_events ORDER BY seq")]


@pytest.mark.parametrize("chained", [KEY, None], ids=["keyed", "plain"], indirect=True)
def test_a_cut_leaves_one_chain(chained: Databases, connection: psycopg.Connection) -> None:
    """The oldest rows go, the last of them named by number and hash in a row of its own, and the rest is proved."""
    (last,) = connection.execute("SELECT hash FROM audit_events WHERE seq = 4").fetchone() or (b"",)

    rows = cut_old(chained, LATER)

    details = connection.execute("SELECT event, actor, details FROM audit_events WHERE seq = 11").fetchone()
    assert rows == 4
    assert numbers(connection) == [5, 6, 7, 8, 9, 10, 11]
    assert details is not None
    assert details[:2] == ("audit-cut", "fencepost")
    assert details[2].items() >= {"rows": 4, "through": 4, "hash": last.hex()}.items()
    proof = check_chain(chained)
    assert proof.startswith(f"The audit is one unbroken chain of 7 events up to {find_head(chained.ours)}. It begins")
    assert "It begins after row 4: what was older was removed, as row 11 of 20" in proof


def test_cuts_follow_cuts(chained: Databases, connection: psycopg.Connection) -> None:
    """A later cut removes an earlier one's row, too, and a chain of nothing but cuts is one."""
    while len(numbers(connection)) > 1:
        cut_old(chained, LATER)
    add(chained, 2)

    assert len(numbers(connection)) == 3
    assert "one unbroken chain of 3 events" in check_chain(chained, find_head(chained.ours))


def test_a_check_that_meets_a_cut_finds_one_chain(chained: Databases) -> None:
    """Rows that are removed after a check has begun were not removed for it."""
    cuts = [cut_old]

    def cut_once(*_: object) -> None:
        if cuts:
            cuts.pop()(chained, LATER)

    event.listen(chained.ours.engine, "after_cursor_execute", cut_once)

    assert "one unbroken chain of 10 events" in check_chain(chained)
    assert "one unbroken chain of 7 events" in check_chain(chained)
    assert not cuts


def test_what_is_young_stays(chained: Databases, connection: psycopg.Connection) -> None:
    """Rows from an instant on are not removed, and nothing is cut where all are."""
    (instant,) = connection.execute("SELECT at FROM audit_events WHERE seq = 3").fetchone() or (None,)

    assert cut_old(chained, datetime.now(UTC) - timedelta(days=1)) == 0
    assert cut_old(chained, instant) == 2
    assert cut_old(chained, instant) == 0
    assert numbers(connection) == list(range(3, 12))


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("DELETE FROM audit_events WHERE seq <= 6", "Rows 5 to 6 were removed: the next row is 7."),
        ("DELETE FROM audit_events WHERE seq = 8", "Row 8 was removed: the next row is 9."),
        (
            "UPDATE audit_events SET details = details || '{\"through\": 5}' WHERE seq = 11;"
            " DELETE FROM audit_events WHERE seq = 5",
            "Row 11 is not what was recorded after row 10",
        ),
        ("DELETE FROM audit_events WHERE seq = 11", "Rows 1 to 4 were removed: the next row is 5."),
        (
            "UPDATE audit_events SET details = jsonb_set(details, '{hash}', to_jsonb(repeat('0', 64))) WHERE seq = 11",
            "Row 5 ",
        ),
    ],
)
def test_every_other_gap_is_named(
    chained: Databases, connection: psycopg.Connection, statement: str, sentence: str
) -> None:
    """Rows that no cut names, and a cut that was changed or removed, are found."""
    cut_old(chained, LATER)
    with tampering(connection) as tamper:
        for each in statement.split(";"):
            tamper(each)

    assert sentence in finding(chained)


def test_a_cut_without_the_key_is_found(databases: Databases, connection: psycopg.Connection) -> None:
    """Who does not have the key cannot cut: a chain that begins after a cut of theirs is not believed."""
    keyed = replace(databases, audit_key=KEY)
    add(keyed, 6)
    (last,) = connection.execute("SELECT hash FROM audit_events WHERE seq = 3").fetchone() or (b"",)
    with tampering(connection) as tamper:
        tamper("DELETE FROM audit_events WHERE seq <= 3")
        connection.execute(
            "UPDATE audit_events SET event = 'audit-cut', details = %s WHERE seq = 6",
            [Jsonb({"through": 3, "hash": last.hex()})],
        )
        unsigned = finding(keyed)
        hash_anew(connection, None)

    assert "Row 6 is not what was recorded after row 5" in unsigned
    assert "hashed without FENCEPOST_AUDIT_KEY" in finding(keyed)


def test_a_noted_head_that_was_cut_proves_nothing(chained: Databases) -> None:
    """A head from before the cut is refused with a sentence; that of the last row that was cut still counts."""
    heads = []
    with chained.ours.transaction() as connection:
        for most in (2, 4):
            cut = find_cut(connection, LATER, most=most)
            assert cut is not None
            heads.append(cut.last)
    cut_old(chained, LATER)

    assert finding(chained, heads[0]).startswith("Row 2, which was noted, has been cut since, with all rows up to 4")
    assert "unbroken" in check_chain(chained, heads[1])
    assert "is not the one that was noted" in finding(chained, Head(4, bytes(32)))


def test_a_broken_beginning_is_not_cut(chained: Databases, connection: psycopg.Connection) -> None:
    """What is not as it was recorded stays, so that it can still be found."""
    with tampering(connection) as tamper:
        tamper("UPDATE audit_events SET actor = 'user:somebody' WHERE seq = 2")

    with pytest.raises(NotPossible, match="Row 2 was changed"):
        cut_old(chained, LATER)

    assert numbers(connection) == list(range(1, 11))


@pytest.mark.parametrize(
    ("details", "where"),
    [
        ({"through": 3}, "seq <= 3"),
        ({"through": 3, "hash": "00" * 32}, "seq <= 3"),
        ({"through": 3, "hash": True}, "seq <= 2"),
        ({"through": 3, "hash": True}, "seq <= 4"),
        ({"through": 3, "hash": True}, "seq = 3"),
        ({"through": 3, "hash": True}, "false"),
        ({}, "true"),
    ],
)
def test_the_database_removes_only_what_a_cut_names(
    chained: Databases, connection: psycopg.Connection, details: dict[str, object], where: str
) -> None:
    """Whoever owns the table cannot remove another row than those from the first to the one that the cut names."""
    (last,) = connection.execute("SELECT hash FROM audit_events WHERE seq = 3").fetchone() or (b"",)
    if details.get("hash") is True:
        details = details | {"hash": last.hex()}
    record(chained, Event.AUDIT_CUT, HOUSE, details=details)

    with pytest.raises(psycopg.errors.RaiseException, match="audit_events is append-only: DELETE is refused"):
        connection.execute(f"DELETE FROM audit_events WHERE {where}".encode())

    assert numbers(connection) == list(range(1, 12))
