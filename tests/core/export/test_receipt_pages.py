"""The list of exports: newest first, one's own or everybody's."""

from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest

from core.actor import HOUSE, Actor
from core.db.databases import Databases
from core.export.receipt_pages import ReceiptKey, ReceiptPage, find_listed_receipt, list_query, page_receipts
from core.export.receipts import LOST_AFTER, Progress, Status, Via, close_receipt, find_receipt, open_receipt
from core.jobs.wall import Wall
from tests.support.documents import april
from tests.support.plans import explain, read_blocks, sequential, sorted_rows


def open_many(databases: Databases, connection: psycopg.Connection, number: int, by: str = "user:a") -> None:
    """Open receipts, of which every two have the same time."""
    for count in range(number):
        export_id = UUID(int=count + (1000 if by != "user:a" else 0))
        open_receipt(databases, Actor(by, Wall(None), frozenset()), export_id, april(), via=Via.DASHBOARD)
        connection.execute(
            "UPDATE exports SET started_at = '2026-05-01Z'::timestamptz + %s * interval '1 s' WHERE export_id = %s",
            [count // 2, export_id],
        )


def test_pages_lead_through_everything_and_back(databases: Databases, connection: psycopg.Connection) -> None:
    """Newest first, at any depth, every export stands on exactly one page; back goes the same way."""
    open_many(databases, connection, 11)
    seen: list[int] = []
    pages: list[tuple[ReceiptKey | None, ReceiptPage]] = []
    after = None

    while True:
        page = page_receipts(databases, None, after=after, limit=3)
        seen += [row.export_id.int for row in page.rows]
        pages.append((after, page))
        if page.next is None:
            break
        after = page.next

    assert seen == list(range(10, -1, -1))
    assert [page.has_previous for _, page in pages] == [False, True, True, True]
    assert [page.previous for _, page in pages[1:]] == [key for key, _ in pages[:-1]]


def test_one_sees_ones_own_and_an_admin_all(databases: Databases, connection: psycopg.Connection) -> None:
    """With a name the list, and whether it is live, is that name's alone; without one it is everybody's."""
    open_many(databases, connection, 2)
    open_many(databases, connection, 1, by="user:b")
    for number in range(2):
        close_receipt(databases, HOUSE, UUID(int=number), Progress(), Status.INTERRUPTED)

    own, other, everybody = (
        page_receipts(databases, whose, after=None, limit=9) for whose in ("user:a", "user:b", None)
    )

    assert ({row.requested_by for row in own.rows}, own.is_live) == ({"user:a"}, False)
    assert ({row.requested_by for row in other.rows}, other.is_live) == ({"user:b"}, True)
    assert ({row.export_id.int for row in everybody.rows}, everybody.is_live) == ({0, 1, 1000}, True)
    assert find_listed_receipt(databases, "user:b", UUID(int=0)) is None
    assert find_listed_receipt(databases, "user:a", UUID(int=0)) is not None
    assert find_listed_receipt(databases, None, UUID(int=1000)) is not None
    assert find_listed_receipt(databases, None, UUID(int=5)) is None


def test_people_and_keys_have_names(databases: Databases, connection: psycopg.Connection) -> None:
    """An export tells the address of the person or the name of the key that asked for it, if they are known."""
    open_many(databases, connection, 1)
    open_many(databases, connection, 1, by="key:abcdefghijkl")
    connection.execute("INSERT INTO people (person, address) VALUES ('user:a', 'a@example.com')")
    connection.execute(
        "INSERT INTO api_keys (key_id, name, scopes, secret_sha256, created_by)"
        " VALUES ('abcdefghijkl', 'lawyers', '{job:read}', sha256(''), 'cli')"
    )

    page = page_receipts(databases, None, after=None, limit=9)

    assert [(row.requested_by, row.address, row.key_name) for row in page.rows] == [
        ("key:abcdefghijkl", None, "lawyers"),
        ("user:a", "a@example.com", None),
    ]


def test_the_list_closes_what_is_lost(databases: Databases, connection: psycopg.Connection) -> None:
    """An export without a heartbeat is shown as failed by whoever lists it."""
    open_many(databases, connection, 1)
    connection.execute("UPDATE exports SET heartbeat_at = now() - %s - interval '1 s'", [LOST_AFTER])

    page = page_receipts(databases, None, after=None, limit=9)

    assert ([row.status for row in page.rows], page.is_live) == (["failed"], False)


def test_a_starting_export_closes_what_is_lost(databases: Databases, connection: psycopg.Connection) -> None:
    """An export that starts closes lost ones, but waits for none that somebody else is closing."""
    open_many(databases, connection, 2)
    connection.execute("UPDATE exports SET heartbeat_at = now() - %s - interval '1 s'", [LOST_AFTER])

    with connection.transaction():
        connection.execute("SELECT FROM exports WHERE export_id = %s FOR UPDATE", [UUID(int=1)])
        open_many(databases, connection, 1, by="user:b")

    rows = connection.execute("SELECT status FROM exports ORDER BY export_id").fetchall()
    assert rows == [("failed",), ("running",), ("running",)]
    assert (find_receipt(databases, UUID(int=1)) or {})["status"] == "failed"


@pytest.mark.parametrize("whose", [None, "user:a"])
def test_a_page_is_work_of_an_index(databases: Databases, connection: psycopg.Connection, whose: str | None) -> None:
    """However many exports there are, a page deep in the list reads no more than itself."""
    connection.execute(
        "INSERT INTO exports (export_id, requested_by, via, filter, started_at, finished_at, status)"
        " SELECT gen_random_uuid(), 'user:' || chr(97 + n % 2), 'cli', '{}',"
        " '2026-05-01Z'::timestamptz + n * interval '1 s', now(), 'failed' FROM generate_series(1, 20000) AS n"
    )
    connection.execute("ANALYZE exports")
    after = ReceiptKey(datetime(2026, 5, 1, 3, tzinfo=UTC), UUID(int=0))

    nodes = explain(databases, list_query(whose, after=after, limit=21))

    assert nodes[0]["Actual Rows"] == 21
    assert sequential(nodes) == []
    assert sorted_rows(nodes) == 0
    assert read_blocks(nodes) < 500
