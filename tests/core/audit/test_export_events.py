"""What an export leaves in the audit, through every door and at every end."""

import subprocess
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import psycopg
import pytest

from api.downloads import RECORDED_REFUSALS
from core.actor import DEMO_PERSON, Scope
from core.audit.filter import AuditFilter
from core.audit.verification import check_chain
from core.auth.tickets import AUDIT_PATH, LIFETIME, Download, Ticket
from core.db.databases import Databases
from core.export.receipts import Via, close_lost_receipts, open_receipt
from core.settings import Settings
from tests.api.test_downloads import OFFICE, Door, ticket
from tests.core.audit.test_events import events
from tests.support.asgi import EXPORT, FakeReader, Then, ask, create_api, exchange, make_key, run
from tests.support.documents import APRIL, april
from tests.support.rows import insert_job, insert_large_jobs

RunCore = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def door(databases: Databases, settings: Settings) -> Door:
    return Door(databases, settings)


def audit_ticket(person: str = DEMO_PERSON.name, **params: str) -> str:
    issued = Ticket(Download.AUDIT, person, AuditFilter.from_params(params.items()))
    return urlencode({"ticket": OFFICE.issue(issued, browser="browser-1")})


def export_events(connection: psycopg.Connection) -> list[dict[str, Any]]:
    return [event for event in events(connection) if event["event"] != "key-created"]


def only_export(connection: psycopg.Connection) -> tuple[Any, ...]:
    row = connection.execute("SELECT export_id::text, rows, bytes, sha256 FROM exports").fetchone()
    assert row is not None
    return row


def test_the_api_records_beginning_and_end(
    databases: Databases, settings: Settings, connection: psycopg.Connection
) -> None:
    """An export of a key leaves two events with its id: what was asked, `q` as it was typed, and how it ended."""
    insert_job(connection)
    key = make_key(databases)

    answer = ask(create_api(databases, settings), f"{EXPORT}&q=A%20Prompt", key)

    export_id, rows, size, sha256 = only_export(connection)
    actor = {"actor": f"key:{key.split('_')[1]}", "address": None, "remote_address": "127.0.0.1", "subject": export_id}
    asked = {"via": "api", "client_id": "acme", "filter": APRIL | {"q": "A Prompt"}}
    end = {"status": "complete", "rows": rows, "bytes": size, "sha256": sha256}
    assert (answer.status, rows) == (200, 1)
    assert export_events(connection) == [
        {"seq": 2, "event": "export-started", **actor, "details": asked},
        {"seq": 3, "event": "export-finished", **actor, "details": end},
    ]
    assert "unbroken" in check_chain(databases)


def test_the_shell_and_the_button_record_theirs(door: Door, run_core: RunCore, connection: psycopg.Connection) -> None:
    """The other two doors leave the same pair of events, under the name of who came through."""
    door.get(ticket())
    run_core("export", "--from", APRIL["from"], "--to", APRIL["to"])

    found = [(event["event"], event["actor"], event["details"].get("via")) for event in events(connection)]
    assert found == [
        ("export-started", "user:demo", "dashboard"),
        ("export-finished", "user:demo", None),
        ("export-started", "cli", "cli"),
        ("export-finished", "cli", None),
    ]


def test_an_interrupted_export_ends_in_the_audit_too(
    databases: Databases, settings: Settings, connection: psycopg.Connection
) -> None:
    """Where the reader goes away, the end says so, with what was read until then and no hash."""
    insert_large_jobs(connection, 2000, size=2000)
    reader = FakeReader(EXPORT, make_key(databases), reads=200_000, then=Then.LEAVE)

    run(exchange(create_api(databases, settings), reader))

    last = export_events(connection)[-1]
    _, rows, size, _ = only_export(connection)
    assert last["event"] == "export-finished"
    assert last["details"] == {"status": "interrupted", "rows": rows, "bytes": size, "sha256": None}


def test_a_lost_export_is_ended_by_the_house(databases: Databases, connection: psycopg.Connection) -> None:
    """Whoever closes the receipt of a process that died, it is recorded once, as nobody's act."""
    export_id = UUID("0b9f3c1e-5a7d-4e0b-9c55-0d1f2a3b4c5d")
    open_receipt(databases, DEMO_PERSON, export_id, april(), via=Via.API)
    connection.execute("UPDATE exports SET heartbeat_at = now() - %s", [timedelta(seconds=61)])

    close_lost_receipts(databases)
    close_lost_receipts(databases)

    assert [(event["event"], event["actor"], event["subject"]) for event in events(connection)] == [
        ("export-started", "user:demo", str(export_id)),
        ("export-finished", "fencepost", str(export_id)),
    ]
    assert events(connection)[-1]["details"] == {"status": "failed", "rows": 0, "bytes": 0, "sha256": None}


def test_without_the_audit_there_is_no_export(
    databases: Databases, settings: Settings, connection: psycopg.Connection
) -> None:
    """Where the event cannot be committed, nothing is sent and no receipt remains."""
    key = make_key(databases)
    connection.execute("ALTER TABLE audit_events RENAME TO away")

    answer = ask(create_api(databases, settings), EXPORT, key)

    assert answer.status == 503
    assert connection.execute("SELECT count(*) FROM exports").fetchone() == (0,)


def test_a_refused_client_is_recorded(databases: Databases, settings: Settings, connection: psycopg.Connection) -> None:
    """Who asks for another client's jobs is refused, and the row says with which filter; a 401 and a 400 leave none."""
    api, key = create_api(databases, settings), make_key(databases)

    statuses = [
        ask(api, target, authorization).status
        for target, authorization in (
            (EXPORT, "Bearer x"),
            (f"{EXPORT}&colour=red", key),
            (f"{EXPORT}&client_id=other", key),
        )
    ]

    refused = export_events(connection)
    assert statuses == [401, 400, 403]
    assert [(event["event"], event["actor"], event["details"]["status"]) for event in refused] == [
        ("export-refused", f"key:{key.split('_')[1]}", 403)
    ]
    assert refused[0]["details"]["filter"] == APRIL | {"client_id": "other"}
    assert "another client" in refused[0]["details"]["reason"]


def test_one_export_too_many_is_recorded_and_one_request_too_many_is_not(
    databases: Databases, settings: Settings, connection: psycopg.Connection
) -> None:
    """The 429 of the slots leaves a row; that of the rate leaves none, because nothing bounds how often it is given."""
    api = create_api(databases, settings, fencepost_exports_total=0, fencepost_requests_per_minute=1)
    key = make_key(databases)

    statuses = [ask(api, EXPORT, key).status for _ in range(3)]

    assert statuses == [429, 429, 429]
    assert [(event["event"], event["details"]["status"]) for event in export_events(connection)] == [
        ("export-refused", 429)
    ]


@pytest.mark.parametrize("path", ["jobs", "audit"])
def test_a_bad_ticket_is_recorded(
    door: Door, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """A ticket that is no ticket is nobody's; of a foreign browser, too old, or after the scope was lost it is still
    the person's for whom it was made."""
    good = ticket() if path == "jobs" else audit_ticket()
    where = f"/downloads/{path}.csv"

    def refused(query: str, browser: str | None = "browser-1") -> tuple[str, str]:
        assert door.get(query, browser=browser, path=where)[0] == 403
        last = events(connection)[-1]
        assert (last["event"], last["details"]["path"], last["details"]["status"]) == ("export-refused", where, 403)
        return last["actor"], last["details"]["reason"].split(":")[0]

    old = "The link is older than two minutes, or was made for another browser"
    assert refused("ticket=x") == ("anonymous", old)
    assert refused("") == ("anonymous", old)
    assert refused(good, None) == ("user:demo", old)
    assert refused(good, "browser-2") == ("user:demo", old)
    with monkeypatch.context() as later:
        now = time.time()
        later.setattr(time, "time", lambda: now + LIFETIME + 2)
        assert refused(good) == ("user:demo", old)
    door.person = None
    assert refused(good) == ("user:demo", "You are signed out, or may no longer export")
    assert len(events(connection)) == 6


def test_tickets_of_one_purpose_open_no_other_door(door: Door) -> None:
    """A ticket for jobs does not open the audit, nor the other way round."""
    assert door.get(ticket(), path=AUDIT_PATH)[0] == 403
    assert door.get(audit_ticket())[0] == 403


def test_nobody_can_flood_the_audit(door: Door, connection: psycopg.Connection) -> None:
    """A bad ticket costs no sign-in, so only so many a minute are recorded; all are refused."""
    statuses = {door.get(f"ticket={number}")[0] for number in range(RECORDED_REFUSALS + 5)}

    assert statuses == {403}
    assert len(events(connection)) == RECORDED_REFUSALS


def test_a_key_without_the_scope_is_recorded(
    databases: Databases, settings: Settings, connection: psycopg.Connection
) -> None:
    """Whoever holds a key that may not export leaves a row, as often as the rate allows."""
    key = make_key(databases, scopes=frozenset({Scope.ADMIN_CONFIG}))
    api = create_api(databases, settings, fencepost_requests_per_minute=2)

    statuses = [ask(api, EXPORT, key).status for _ in range(4)]

    assert statuses == [403] * 4
    refused = [event for event in export_events(connection) if event["event"] == "export-refused"]
    assert [event["details"]["status"] for event in refused] == [403, 403]
