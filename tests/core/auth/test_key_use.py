"""When a key was last used: seen by the minute, and never in the way."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from api.routes import Api
from core.auth.key_use import LastUse, write_last_use
from core.db.databases import Databases
from core.settings import Settings
from tests.support.asgi import EXPORT, ask, create_api, make_key
from tests.support.waiting import wait_for


@pytest.fixture
def api(databases: Databases, settings: Settings) -> Api:
    return create_api(databases, settings)


def key_id(key: str) -> str:
    return key.split("_")[1]


def last_used(connection: psycopg.Connection) -> datetime | None:
    found = connection.execute("SELECT last_used_at FROM api_keys").fetchone()
    assert found is not None
    return found[0]  # type: ignore[no-any-return]


def updates(databases: Databases) -> list[str]:
    """Collect the statements that write a last use from now on."""
    seen: list[str] = []

    def note(*arguments: Any) -> None:
        if arguments[2].startswith("UPDATE api_keys"):
            seen.append(arguments[2])

    event.listen(databases.ours.engine, "before_cursor_execute", note)
    return seen


def test_a_request_notes_the_use_of_its_key(api: Api, databases: Databases, connection: psycopg.Connection) -> None:
    """A key that was recognised was used, even where it may not do what was asked."""
    key = make_key(databases, scopes=frozenset())
    assert last_used(connection) is None

    assert ask(api, EXPORT, key).status == 403

    assert last_used(connection) is not None


def test_a_process_tries_once_a_minute(api: Api, databases: Databases, connection: psycopg.Connection) -> None:
    """However often a key is used, a process writes one statement a minute for it."""
    key = make_key(databases)
    seen = updates(databases)

    statuses = [ask(api, EXPORT, key).status for _ in range(5)]

    assert statuses == [200] * 5
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("stored", "changed"), [("interval '59 seconds'", False), ("interval '61 seconds'", True), ("NULL::interval", True)]
)
def test_processes_together_write_once_a_minute(
    databases: Databases, connection: psycopg.Connection, stored: str, changed: bool
) -> None:
    """What another process has written within the minute is left as it is."""
    key = make_key(databases)
    connection.execute(f"UPDATE api_keys SET last_used_at = now() - {stored}".encode())
    before = last_used(connection)

    write_last_use(databases.ours, key_id(key))

    assert (last_used(connection) != before) is changed


def test_a_locked_row_keeps_nobody_waiting(
    api: Api, databases: Databases, connection: psycopg.Connection, database_url: str
) -> None:
    """While somebody holds the key's row, an export with it goes on; the note is given up without a word."""
    key = make_key(databases)
    ended: list[float] = []

    with psycopg.connect(database_url) as holder:
        holder.execute("SELECT FROM api_keys FOR UPDATE")
        reader = ask(api, EXPORT, key, on_block=lambda: ended.append(time.monotonic()))
        joined = time.monotonic()

    # `ask` ends with its loop, which waits for the note: that is longer than the answer took.
    assert (reader.status, reader.complete) == (200, True)
    assert joined - ended[-1] > 1
    assert last_used(connection) is None


def test_a_note_that_cannot_be_written_stays_unseen(
    api: Api, databases: Databases, connection: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the role may not write, exports go on, and the log names the key's id alone."""
    key = make_key(databases)
    connection.execute("""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE insufficient_privilege; END $$
    """)
    connection.execute("CREATE TRIGGER refuse BEFORE UPDATE ON api_keys FOR EACH ROW EXECUTE FUNCTION refuse()")

    answer = ask(api, EXPORT, key)

    assert (answer.status, answer.complete) == (200, True)
    assert caplog.messages == [
        "database error: InsufficientPrivilege 42501 in DATABASE_URL",
        f"key {key_id(key)}: its last use could not be written",
    ]


def test_many_keys_are_written_by_one_thread(databases: Databases, connection: psycopg.Connection) -> None:
    """Uses that come while one is being written wait for it, and none is lost."""
    keys = [key_id(make_key(databases)) for _ in range(5)]
    begun: list[Callable[[], None]] = []
    last_use = LastUse(databases.ours, begun.append)

    for key in keys:
        last_use.note(key)
    for work in begun:
        work()

    assert len(begun) == 1
    wait_for(
        lambda: connection.execute("SELECT bool_and(last_used_at IS NOT NULL) FROM api_keys").fetchone() == (True,),
        "all keys to be noted",
    )
