"""What tests wait for: generously, because no timing may decide one."""

import time
from collections.abc import Callable
from typing import TypeVar

import psycopg

# Seconds, on a machine that does much else.
PATIENCE = 30

_Value = TypeVar("_Value")


def wait_for(find: Callable[[], _Value], what: str, *, patience: float = PATIENCE) -> _Value:
    """Call until the result is true, and return it; fail when it never is."""
    deadline = time.monotonic() + patience
    while not (found := find()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)
    return found


def statements(connection: psycopg.Connection) -> list[int]:
    """Find the server's processes that work on an export of this database, or on its count."""
    rows = connection.execute(
        """
        SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'fencepost'
            AND state = 'active' AND query ~ '^(COPY|EXPLAIN)|count'
        """
    )
    return [pid for (pid,) in rows]


def wait_until_idle(connection: psycopg.Connection) -> None:
    """Wait until no statement of an export is left on the server."""
    wait_for(lambda: not statements(connection), "the end of all statements")


def terminate_exports(connection: psycopg.Connection) -> None:
    """Kill the server's processes that work on an export, as an administrator or a crash would."""
    for pid in wait_for(lambda: statements(connection), "a statement"):
        connection.execute("SELECT pg_terminate_backend(%s)", [pid])


def slow_down_jobs(connection: psycopg.Connection) -> None:
    """Make the source one that gives nothing for a minute, as a view over much may be."""
    connection.execute("ALTER TABLE jobs RENAME TO stored_jobs")
    connection.execute("CREATE VIEW jobs AS SELECT stored_jobs.* FROM pg_sleep(60), stored_jobs")
