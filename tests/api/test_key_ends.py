"""Keys that are none, or none any more: refused by the same path, and cut off in the middle of an export."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import event

from api.routes import Api
from api.streaming import LOOK
from core.actor import COMMAND_LINE
from core.auth.api_keys import revoke_key, rotate_key
from core.db.databases import Databases
from core.settings import Settings
from tests.api.test_errors import with_secret_of
from tests.support.asgi import EXPORT, FakeReader, Then, ask, create_api, exchange, make_key, run
from tests.support.rows import insert_large_jobs
from tests.support.serving import serve_api
from tests.support.waiting import slow_down_jobs, wait_for, wait_until_idle

# The contract's seconds; what revoked a key was committed before they begin.
WITHIN = 5

RECEIPT = f"/api/v1/exports/{UUID(int=7)}"

End = Callable[[Databases, str], object]


@pytest.fixture
def api(databases: Databases, settings: Settings) -> Api:
    return create_api(databases, settings)


def key_id(key: str) -> str:
    return key.split("_")[1]


def revoke(databases: Databases, key: str) -> None:
    revoke_key(databases, COMMAND_LINE, key_id(key))


def expire(databases: Databases, key: str) -> None:
    with databases.ours.transaction() as connection:
        connection.exec_driver_sql("UPDATE api_keys SET expires_at = now() WHERE key_id = %s", (key_id(key),))


def rotate(databases: Databases, key: str) -> None:
    rotate_key(databases, COMMAND_LINE, key_id(key), overlap=timedelta())


def forget(databases: Databases, key: str) -> None:
    with databases.ours.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM api_keys WHERE key_id = %s", (key_id(key),))


ENDS = {"revoked": revoke, "expired": expire, "rotated": rotate, "unknown": forget}


def statuses(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    return connection.execute("SELECT status, finished_at IS NOT NULL FROM exports").fetchall()


@pytest.mark.parametrize("target", [EXPORT, RECEIPT, f"{EXPORT}&client_id=other&type="])
def test_every_refused_key_takes_the_same_path(api: Api, databases: Databases, target: str) -> None:
    """Unknown, wrong, revoked, expired and rotated keys cost the same one statement and get the same answer."""
    keys = {name: make_key(databases) for name in ENDS}
    for name, end in ENDS.items():
        end(databases, keys[name])
    keys["wrong secret"] = with_secret_of(make_key(databases, "other"), make_key(databases))
    ran: list[str] = []
    event.listen(databases.ours.engine, "before_cursor_execute", lambda *arguments: ran.append(arguments[2]))
    seen = {}

    for name, key in keys.items():
        ran.clear()
        answer = ask(api, target, key)
        seen[name] = (tuple(ran), answer)

    (ran_once, answer), *_ = seen.values()
    assert len(ran_once) == 1
    assert ran_once[0].startswith("SELECT api_keys.client_id")
    assert answer.status == 401
    assert seen == dict.fromkeys(keys, (ran_once, answer))


def test_a_valid_key_shares_that_path(api: Api, databases: Databases) -> None:
    """A valid key is looked up by the same statement; what it costs beyond comes after."""
    refused, valid = make_key(databases), make_key(databases)
    revoke(databases, refused)
    ran: list[str] = []
    event.listen(databases.ours.engine, "before_cursor_execute", lambda *arguments: ran.append(arguments[2]))

    ask(api, RECEIPT, refused)
    [first] = ran
    ran.clear()
    ask(api, RECEIPT, valid)

    assert ran[0] == first


@pytest.mark.parametrize("then", [Then.STALL, Then.READ_ON])
def test_an_export_ends_with_its_key(
    databases: Databases, settings: Settings, connection: psycopg.Connection, then: Then
) -> None:
    """Whoever ends a key ends its running export: the body is cut, we have failed, the server works on nothing.

    Whichever way it is ended: an export for each of them, all at once.
    """
    # Many small blocks for those who read on, who are slowed down as a line would.
    insert_large_jobs(connection, 600, size=20_000)
    api = create_api(databases, settings, fencepost_exports_per_client=len(ENDS), fencepost_exports_total=len(ENDS))
    keys = {name: make_key(databases) for name in ENDS}
    slow = (lambda: time.sleep(0.15 / len(ENDS))) if then is Then.READ_ON else (lambda: None)
    readers = {name: FakeReader(EXPORT, key, reads=200_000, then=then, on_block=slow) for name, key in keys.items()}

    async def export() -> None:
        requests = [asyncio.create_task(exchange(api, reader)) for reader in readers.values()]
        for reader in readers.values():
            await asyncio.to_thread(wait_for, lambda reader=reader: reader.read() > 0, "the first block")
        for name, end in ENDS.items():
            await asyncio.to_thread(end, databases, keys[name])
        ended = time.monotonic()
        await asyncio.gather(*requests)
        assert time.monotonic() - ended < WITHIN

    run(export())

    answers = {name: (reader.answer.status, reader.answer.complete) for name, reader in readers.items()}
    assert answers == dict.fromkeys(ENDS, (200, False))
    assert statuses(connection) == [("failed", True)] * len(ENDS)
    wait_until_idle(connection)


def test_an_export_that_has_not_begun_is_refused(
    api: Api, databases: Databases, connection: psycopg.Connection
) -> None:
    """Where the key ends before the first byte, the answer is an error and not half a response."""
    insert_large_jobs(connection, 1, size=20)
    slow_down_jobs(connection)
    key = make_key(databases)

    async def export() -> FakeReader:
        reader = FakeReader(EXPORT, key)
        request = asyncio.create_task(exchange(api, reader))
        await asyncio.to_thread(wait_for, lambda: statuses(connection), "the receipt")
        await asyncio.to_thread(revoke, databases, key)
        await request
        return reader

    answer = run(export()).answer

    assert (answer.status, answer.complete) == (403, True)
    assert b"the key or the sign-in behind it has ended" in answer.body
    assert statuses(connection) == [("failed", True)]


def test_other_keys_are_left_alone_and_asked_about_seldom(
    api: Api, databases: Databases, connection: psycopg.Connection
) -> None:
    """Another key of the same client exports on; the look at it is one statement every two seconds."""
    insert_large_jobs(connection, 600, size=20_000)
    key, other = make_key(databases), make_key(databases)
    looks: list[float] = []

    def note(*arguments: Any) -> None:
        if arguments[2].startswith("SELECT api_keys.revoked_at IS NULL"):
            looks.append(time.monotonic())

    event.listen(databases.ours.engine, "before_cursor_execute", note)

    async def export() -> FakeReader:
        # It reads slowly until it was looked at twice.
        reader = FakeReader(EXPORT, key, on_block=lambda: time.sleep(0.08 if len(looks) < 2 else 0))
        request = asyncio.create_task(exchange(api, reader))
        await asyncio.to_thread(revoke, databases, other)
        return await request

    assert run(export()).answer.complete
    assert statuses(connection) == [("complete", True)]
    assert len(looks) >= 2
    assert min(later - look for look, later in pairwise(looks)) >= LOOK - 0.1


def test_a_database_that_cannot_be_asked_for_a_moment_cuts_nothing(
    api: Api, databases: Databases, connection: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """That nobody can tell whether a key is valid is not a reason to cut its export; once told, it is."""
    insert_large_jobs(connection, 600, size=20_000)
    key = make_key(databases)
    asked = "it could not be asked whether a running export is still allowed"

    async def export() -> None:
        reader = FakeReader(EXPORT, key, reads=200_000, then=Then.STALL)
        request = asyncio.create_task(exchange(api, reader))
        await reader.stalled.wait()
        connection.execute("ALTER TABLE api_keys RENAME TO elsewhere")
        await asyncio.to_thread(wait_for, lambda: asked in caplog.messages, "a look that fails")
        await asyncio.sleep(LOOK / 4)
        assert not request.done()
        connection.execute("ALTER TABLE elsewhere RENAME TO api_keys")
        await asyncio.to_thread(revoke, databases, key)
        await request

    run(export())

    assert statuses(connection) == [("failed", True)]


def test_a_key_that_another_process_revokes_cuts_its_export(
    database_url: str, databases: Databases, connection: psycopg.Connection, tmp_path: Path
) -> None:
    """Through sockets and processes: curl says that the transfer was cut, and the next request gets 401."""
    insert_large_jobs(connection, 2_000, size=20_000)
    key = make_key(databases)
    with serve_api(database_url, tmp_path / "log") as api:
        curl = api.curl(EXPORT, key, "--limit-rate", "2M")
        assert curl.stdout is not None
        curl.stdout.read(1)

        revoke(databases, key)
        ended = time.monotonic()
        wait_for(lambda: statuses(connection) == [("failed", True)], "the end of the receipt")
        took = time.monotonic() - ended
        refused = api.get(EXPORT, key)
        curl.communicate()

        assert took < WITHIN
        assert refused.status_code == 401
        assert curl.returncode == 18
        assert "Traceback" not in api.log()
