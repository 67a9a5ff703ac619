"""How many new jobs go in at once: their facts in one statement, and what empty tables have of indexes at the end.

What triggers, indexes and keys do row by row is four fifths of a large import. It is left out inside of one
transaction, by what only the owner of the tables may do and nobody else ever sees: who kills it has changed nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.errors import DependentObjectsStillExist, LockNotAvailable
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from core.facts.code import CATEGORIES, HOUR, write_time

# Fewer new jobs are in before indexes are made anew.
MANY = 10_000

# Shorter than PostgreSQL waits until it looks for a deadlock: whoever waits for us goes on.
_PATIENCE = "500ms"

HAS_FLAGS = f"({' OR '.join(f'staged_jobs.{name} IS NOT NULL' for name in CATEGORIES)})"
IS_NEW = "NOT EXISTS (SELECT FROM known_jobs WHERE known_jobs.record = staged_jobs.record)"

_TABLES = "('jobs'::regclass, 'moderation_logs'::regclass, 'job_facts'::regclass, 'job_counts'::regclass)"

# A trigger that somebody has turned off stays so. One of theirs for inserts (4) may change what comes in, and no table
# can be altered while one that was put off is due.
_IS_OURS_ALONE = text(f"""
    SELECT bool_and(pg_has_role(relowner, 'USAGE') AND NOT relhasrules) AND 2 = (
        SELECT count(*) FROM pg_trigger
        WHERE tgrelid IN {_TABLES} AND tgname = 'job_facts_insert' AND tgenabled = 'O'
    ) AND NOT EXISTS (
        SELECT FROM pg_trigger
        WHERE (tgrelid IN {_TABLES} OR tgrelid IN (SELECT relid FROM pg_partition_tree('jobs')))
            AND (tgdeferrable OR NOT tgisinternal AND tgtype & 4 > 0 AND NOT tgname ^@ 'job_facts_')
    )
    FROM pg_class WHERE oid IN {_TABLES}
""")

_ARE_EMPTY = text(f"""
    SELECT bool_and(relkind = 'r' AND has_schema_privilege(relnamespace, 'CREATE'))
        AND NOT EXISTS (SELECT FROM jobs) AND NOT EXISTS (SELECT FROM moderation_logs)
        AND NOT EXISTS (SELECT FROM job_facts)
    FROM pg_class WHERE oid IN {_TABLES}
""")

# Where jobs are in months, or where a replica wrote them, a log may be there before its job.
_HAVE_LOGS = text(f"SELECT EXISTS (SELECT FROM staged_jobs JOIN moderation_logs USING (job_id) WHERE {IS_NEW})")

# How each index and key is dropped and made again, in the order in which they are dropped: keys of others first. What
# its definition alone does not bring back stays.
_INDEXES = text(f"""
    SELECT undo, redo FROM (
        SELECT conindid AS index, contype = 'f' AS is_of_other, pg_constraint.oid, 'pg_constraint' AS catalog,
            format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS undo,
            format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
                AS redo
        FROM pg_constraint
        WHERE conrelid IN {_TABLES} AND (contype IN ('p', 'u') OR contype = 'f' AND confrelid IN {_TABLES})
        UNION ALL
        SELECT indexrelid, false, indexrelid, 'pg_class', format('DROP INDEX %s', indexrelid::regclass),
            pg_get_indexdef(indexrelid)
        FROM pg_index WHERE indrelid IN {_TABLES} AND NOT indisunique
    ) AS part JOIN pg_index ON indexrelid = index JOIN pg_class ON pg_class.oid = index
    WHERE is_of_other OR indisvalid AND NOT indisclustered AND NOT indisreplident AND reltablespace = 0
        AND (reloptions IS NULL OR catalog = 'pg_class') AND obj_description(index, 'pg_class') IS NULL
        AND obj_description(part.oid, catalog) IS NULL
    ORDER BY NOT is_of_other, index
""")

_ADD_FACTS = text(f"""
    WITH added AS (
        INSERT INTO job_facts (created_at, job_id, code, client_id, created_text, completed_text)
        SELECT created_at, job_id, job_facts_code(is_prohibited, {HAS_FLAGS}, {", ".join(CATEGORIES)}), :client_id,
            {write_time("created_at")}, {write_time("completed_at")}
        FROM staged_jobs WHERE {IS_NEW}
        ON CONFLICT DO NOTHING
        RETURNING {HOUR} AS hour, client_id, code
    )
    INSERT INTO job_counts (hour, client_id, code, total)
    SELECT hour, client_id, code, count(*) FROM added GROUP BY GROUPING SETS ((hour, client_id, code), (hour, code))
""")


@contextmanager
def load(connection: Connection, client_id: str, new: int) -> Iterator[bool]:
    """Do what triggers and indexes do for each row once, after a block that inserts so many new staged jobs.

    Gives true where that is so: then none of the jobs has a log yet, and the block inserts those that the records say.
    Else triggers and indexes are as ever, where the jobs are few, the tables another role's, or somebody keeps them
    busy. The caller has locked `jobs` against other writers; those of logs wait, too, until the transaction ends, and
    of tables that are empty so do readers.
    """
    if new < MANY or not connection.execute(_IS_OURS_ALONE).scalar_one():
        yield False
        return
    indexes = _drop_indexes(connection)
    if not indexes and (
        not _lock(connection, "moderation_logs IN SHARE ROW EXCLUSIVE MODE")
        or connection.execute(_HAVE_LOGS).scalar_one()
    ):
        yield False
        return
    _turn_triggers(connection, "DISABLE")
    yield True
    connection.execute(_ADD_FACTS, {"client_id": client_id})
    _turn_triggers(connection, "ENABLE")
    for definition in reversed(indexes):
        _driver(connection).execute(definition.encode())


def _drop_indexes(connection: Connection) -> list[str]:
    """Drop the indexes and keys of empty tables, unless others use the tables; return how they are made again."""
    if not connection.execute(_ARE_EMPTY).scalar_one():
        return []
    if not _lock(connection, "jobs, moderation_logs, job_facts, job_counts IN ACCESS EXCLUSIVE MODE"):
        return []
    # Logs may have come until then.
    if not connection.execute(_ARE_EMPTY).scalar_one():
        return []
    parts = connection.execute(_INDEXES).all()
    attempt = connection.begin_nested()
    try:
        for part in parts:
            _driver(connection).execute(part.undo.encode())
    except DependentObjectsStillExist:
        attempt.rollback()
        return []
    attempt.commit()
    return [part.redo for part in parts]


def _lock(connection: Connection, what: str) -> bool:
    """Lock tables, unless others keep them busy for longer than a moment; tell whether they are locked."""
    limit = connection.execute(text("SELECT current_setting('lock_timeout')")).scalar_one()
    attempt = connection.begin_nested()
    try:
        connection.execute(text(f"SET LOCAL lock_timeout = '{_PATIENCE}'"))
        connection.execute(text(f"LOCK TABLE {what}"))
        connection.execute(text("SELECT set_config('lock_timeout', :limit, true)"), {"limit": limit})
    except DBAPIError as error:
        attempt.rollback()
        if not isinstance(error.orig, LockNotAvailable):
            raise
        return False
    attempt.commit()
    return True


def _turn_triggers(connection: Connection, verb: str) -> None:
    """Turn the triggers of inserts off or on. They are those of statements that name these tables, not of months."""
    for table in ("jobs", "moderation_logs"):
        connection.execute(text(f"ALTER TABLE ONLY {table} {verb} TRIGGER job_facts_insert"))


def _driver(connection: Connection) -> psycopg.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver
