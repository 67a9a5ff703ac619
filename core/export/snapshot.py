"""Shards: servers behind the source, where `jobs` or `moderation_logs` are made of foreign tables (`postgres_fdw`).

A snapshot of the source is none of theirs. Each shard takes its own when a transaction first reads from it, and keeps
it for that transaction alone: another one that imports the source's snapshot would see other jobs.
"""

import logging
from datetime import datetime

import psycopg

log = logging.getLogger("fencepost.snapshots")

# Whether there is a foreign table among the tables, their partitions, and what views of them read.
_FIND = """
    WITH RECURSIVE behind (relation) AS (
        SELECT relation::oid FROM unnest(ARRAY[to_regclass('jobs'), to_regclass('moderation_logs')]) AS relation
        UNION
        SELECT further.relation FROM behind, LATERAL (
            SELECT inhrelid FROM pg_inherits WHERE inhparent = behind.relation
            UNION ALL
            SELECT refobjid FROM pg_rewrite
            JOIN pg_depend ON classid = 'pg_rewrite'::regclass AND objid = pg_rewrite.oid
            WHERE ev_class = behind.relation AND refclassid = 'pg_class'::regclass
        ) AS further (relation)
    )
    SELECT EXISTS (SELECT FROM behind JOIN pg_foreign_table ON ftrelid = behind.relation)
"""

# Finds nothing, by indexes, and no shard can be left out of it, by whichever of these columns they are told apart.
_TOUCH = (
    "SELECT FROM jobs WHERE job_id = '00000000-0000-0000-0000-000000000000' OR created_at = '-infinity'",
    "SELECT FROM moderation_logs WHERE job_id = '00000000-0000-0000-0000-000000000000'",
)


async def hold_shards(connection: psycopg.AsyncConnection) -> bool:
    """Let each shard take its snapshot for the transaction now, all within moments; tell whether there are any."""
    row = await (await connection.execute(_FIND)).fetchone()
    if row is None or not row[0]:
        return False
    for statement in _TOUCH:
        await connection.execute(statement)
    return True


async def take_snapshot(connection: psycopg.AsyncConnection, *, shared: bool) -> tuple[datetime, str | None]:
    """Return the time of the snapshot that a connection reads and, where it can be shared, its name.

    Those of shards cannot be shared.
    """
    if shared:
        try:
            row = await (await connection.execute("SELECT clock_timestamp(), pg_export_snapshot()")).fetchone()
        except psycopg.errors.Error as error:
            if connection.closed or isinstance(error, psycopg.errors.SerializationFailure):
                raise
            # A pooler or another engine in between: one connection does the work.
            log.warning("an export goes on with one connection: its snapshot cannot be shared (%s)", error.sqlstate)
            await connection.rollback()
        else:
            assert row is not None
            return row[0], None if await hold_shards(connection) else row[1]
    row = await (await connection.execute("SELECT clock_timestamp()")).fetchone()
    assert row is not None
    await hold_shards(connection)
    return row[0], None
