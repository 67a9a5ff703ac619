"""Receipts: rows that say what became of every export."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from core.actor import DEMO_PERSON, Actor, Scope
from core.db.databases import Databases
from core.errors import ExportCut
from core.export.receipts import (
    Progress,
    Status,
    Via,
    close_lost_receipts,
    close_receipt,
    find_complete_receipt,
    find_receipt,
    open_receipt,
    renew_receipt,
)
from core.jobs.wall import Wall
from tests.support.documents import APRIL, april

EXPORT_ID = UUID("0b9f3c1e-5a7d-4e0b-9c55-0d1f2a3b4c5d")
SHA256 = "ab" * 32


def open_one(databases: Databases, export_id: UUID = EXPORT_ID, **params: str) -> None:
    open_receipt(databases, DEMO_PERSON, export_id, april(**params), via=Via.DASHBOARD)


def receipt(databases: Databases, export_id: UUID = EXPORT_ID) -> dict[str, Any]:
    found = find_receipt(databases, export_id)
    assert found is not None
    return found


def test_a_receipt_is_its_row_as_json(databases: Databases, connection: psycopg.Connection) -> None:
    """A receipt has the columns of `exports`, with times in UTC and at fixed width."""
    open_one(databases, category="nsfw,underage", spreadsheet_safe="true")
    snapshot_at = datetime(2026, 5, 2, 8, 0, 0, 5, tzinfo=UTC)
    renew_receipt(databases.ours, EXPORT_ID, Progress(), snapshot_at=snapshot_at)
    close_receipt(databases, DEMO_PERSON, EXPORT_ID, Progress(7, 1234), Status.COMPLETE, sha256=SHA256)
    connection.execute("""
        UPDATE exports SET started_at = '2026-05-02T10:00:00+02:00', heartbeat_at = '2026-05-02T08:00:01Z',
            finished_at = '2026-05-02T08:00:02.5Z'
    """)

    assert receipt(databases) == {
        "export_id": "0b9f3c1e-5a7d-4e0b-9c55-0d1f2a3b4c5d",
        "requested_by": "user:demo",
        "via": "dashboard",
        "client_id": None,
        "filter": APRIL | {"category": "underage,nsfw", "spreadsheet_safe": "true"},
        "snapshot_at": "2026-05-02T08:00:00.000005Z",
        "started_at": "2026-05-02T08:00:00.000000Z",
        "heartbeat_at": "2026-05-02T08:00:01.000000Z",
        "finished_at": "2026-05-02T08:00:02.500000Z",
        "status": "complete",
        "rows": 7,
        "bytes": 1234,
        "sha256": SHA256,
    }


@pytest.mark.parametrize(
    ("wall", "params", "client_id"),
    [
        (Wall(None), {}, None),
        (Wall(None), {"client_id": "acme"}, "acme"),
        (Wall("acme"), {}, "acme"),
        (Wall("acme"), {"client_id": "acme"}, "acme"),
    ],
)
def test_a_receipt_names_the_client_in_force(
    databases: Databases, wall: Wall, params: dict[str, str], client_id: str | None
) -> None:
    """`client_id` is the wall's or the filter's client, else null; `filter` holds only what was asked for."""
    open_receipt(databases, Actor("cli", wall, frozenset(Scope)), EXPORT_ID, april(**params), via=Via.CLI)

    assert (receipt(databases)["client_id"], receipt(databases)["filter"]) == (client_id, APRIL | params)


def test_an_unknown_receipt_is_none(databases: Databases) -> None:
    """There is no receipt of an export that never was."""
    assert find_receipt(databases, uuid4()) is None


def test_an_export_without_heartbeat_is_closed_as_failed(databases: Databases, connection: psycopg.Connection) -> None:
    """After 60 seconds without a heartbeat whoever looks at a running receipt closes it; others stay as they are."""
    lost, alive, done = (UUID(int=number) for number in range(3))
    for export_id in (lost, alive, done):
        open_one(databases, export_id)
    close_receipt(databases, DEMO_PERSON, done, Progress(), Status.INTERRUPTED)
    connection.execute("UPDATE exports SET heartbeat_at = now() - interval '61 seconds' WHERE export_id <> %s", [alive])
    connection.execute("UPDATE exports SET heartbeat_at = now() - interval '30 seconds' WHERE export_id = %s", [alive])

    seen = receipt(databases, lost)

    assert seen["status"] == "failed"
    assert seen["finished_at"] is not None
    assert [receipt(databases, export_id)["status"] for export_id in (lost, alive, done)] == [
        *("failed", "running", "interrupted")
    ]


def test_lost_receipts_are_closed_together(databases: Databases, connection: psycopg.Connection) -> None:
    """A process that starts closes all lost receipts, whichever process they were of."""
    for number in range(3):
        open_one(databases, UUID(int=number))
    connection.execute("UPDATE exports SET heartbeat_at = now() - interval '61 seconds'")
    open_one(databases, UUID(int=3))

    close_lost_receipts(databases)

    rows = connection.execute("SELECT status, finished_at IS NULL FROM exports ORDER BY export_id").fetchall()
    assert rows == [("failed", False)] * 3 + [("running", True)]


def test_a_heartbeat_keeps_a_receipt_running(databases: Databases, connection: psycopg.Connection) -> None:
    """A renewed receipt counts from its last heartbeat, and shows how far the export has come."""
    open_one(databases)
    connection.execute("UPDATE exports SET heartbeat_at = now() - interval '59 seconds'")

    renew_receipt(databases.ours, EXPORT_ID, Progress(3, 456))

    found = receipt(databases)
    assert (found["status"], found["rows"], found["bytes"]) == ("running", 3, 456)
    assert datetime.fromisoformat(found["heartbeat_at"]) > datetime.fromisoformat(found["started_at"]) - timedelta(
        seconds=1
    )


@pytest.mark.parametrize("status", [Status.COMPLETE, Status.INTERRUPTED, Status.FAILED])
def test_a_closed_receipt_stays_as_it_is(databases: Databases, status: Status) -> None:
    """Once closed, a receipt is neither renewed nor closed again: who tries is told that the export is cut."""
    open_one(databases)
    close_receipt(
        databases, DEMO_PERSON, EXPORT_ID, Progress(1, 2), status, sha256=SHA256 if status is Status.COMPLETE else None
    )
    before = receipt(databases)

    with pytest.raises(ExportCut):
        renew_receipt(databases.ours, EXPORT_ID, Progress(9, 9))
    with pytest.raises(ExportCut):
        close_receipt(databases, DEMO_PERSON, EXPORT_ID, Progress(9, 9), Status.COMPLETE, sha256="cd" * 32)

    assert receipt(databases) == before


def test_the_newest_complete_receipt_of_a_hash_is_found(databases: Databases, connection: psycopg.Connection) -> None:
    """Of several exports with the same bytes the last one answers; one that is not complete never does."""
    for number in range(3):
        open_one(databases, UUID(int=number))
    for number, finished_at in ((1, "2026-05-03"), (0, "2026-05-02")):
        close_receipt(databases, DEMO_PERSON, UUID(int=number), Progress(1, 2), Status.COMPLETE, sha256=SHA256)
        connection.execute("UPDATE exports SET finished_at = %s WHERE export_id = %s", [finished_at, UUID(int=number)])

    found = find_complete_receipt(databases.ours, SHA256)

    assert found == receipt(databases, UUID(int=1))
    assert find_complete_receipt(databases.ours, "cd" * 32) is None


@pytest.mark.parametrize(
    "change",
    [
        "status = 'complete', finished_at = now()",
        "status = 'failed'",
        "finished_at = now()",
        "status = 'gone', finished_at = now()",
        "via = 'fax'",
        "sha256 = 'x'",
    ],
)
def test_the_table_refuses_a_receipt_that_contradicts_itself(
    databases: Databases, connection: psycopg.Connection, change: str
) -> None:
    """Only a complete export has a hash, and only a finished one an end: the table itself sees to that."""
    open_one(databases)

    with pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(f"UPDATE exports SET {change}".encode())
