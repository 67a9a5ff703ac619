"""Tables that change while somebody who has a snapshot already waits for them."""

import threading
from collections.abc import Callable

import psycopg

from core.db.databases import Databases
from tests.support.waiting import wait_for

# The same jobs in two partitions.
PARTS = """
    ALTER TABLE jobs RENAME TO whole_jobs;
    CREATE TABLE jobs (LIKE whole_jobs) PARTITION BY RANGE (created_at);
    CREATE TABLE first_jobs PARTITION OF jobs FOR VALUES FROM (MINVALUE) TO ('2026-04-15Z');
    CREATE TABLE later_jobs PARTITION OF jobs DEFAULT;
    INSERT INTO jobs TABLE whole_jobs
"""

CHANGED_TABLES = {
    "emptied and filled anew": """
        BEGIN; TRUNCATE jobs, moderation_logs;
        INSERT INTO jobs SELECT * FROM another""",
    "written anew": "BEGIN; ALTER TABLE jobs ADD COLUMN note text DEFAULT clock_timestamp()",
    "logs emptied and filled anew": """
        ALTER TABLE jobs RENAME TO stored_jobs;
        CREATE VIEW jobs AS TABLE stored_jobs;
        CREATE TABLE kept AS TABLE moderation_logs;
        BEGIN; TRUNCATE moderation_logs;
        INSERT INTO moderation_logs OVERRIDING SYSTEM VALUE TABLE kept""",
    "a part detached": f"""{PARTS}; BEGIN; ALTER TABLE jobs DETACH PARTITION first_jobs;
        INSERT INTO jobs TABLE first_jobs""",
    "a part dropped": f"{PARTS}; BEGIN; DROP TABLE first_jobs; INSERT INTO jobs TABLE whole_jobs LIMIT 1",
}


def change_while_waiting(
    connection: psycopg.Connection, databases: Databases, change: str, read: Callable[[], object]
) -> None:
    """Change tables, and commit that once what reads them, in a thread, waits for it."""
    connection.execute("CREATE TABLE another AS SELECT * FROM jobs LIMIT 1")
    reading = threading.Thread(target=read, daemon=True)

    for statement in change.split(";"):
        connection.execute(statement.encode())
    with psycopg.connect(databases.ours.conninfo, autocommit=True) as looking:
        reading.start()
        waiting = "SELECT FROM pg_locks WHERE NOT granted AND relation IS NOT NULL"
        wait_for(lambda: looking.execute(waiting).rowcount, "somebody who waits for a table")
    connection.execute("COMMIT")
    reading.join()
