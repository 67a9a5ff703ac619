"""The snapshot of an export, and whether connections can share it.

A snapshot of the source is none of the servers behind it. Each of them takes its own when a transaction first reads
from it, and keeps it for that transaction alone: another one that imports the source's snapshot would see other jobs.
"""

import logging
from datetime import datetime

import psycopg

from core.db.topology import Topology

log = logging.getLogger("fencepost.snapshots")

# Finds nothing, by indexes, and no server can be left out of it, by whichever of these columns they are told apart.
_TOUCH = (
    "SELECT FROM jobs WHERE job_id = '00000000-0000-0000-0000-000000000000' OR created_at = '-infinity'",
    "SELECT FROM moderation_logs WHERE job_id = '00000000-0000-0000-0000-000000000000'",
)


async def take_snapshot(
    connection: psycopg.AsyncConnection, topology: Topology, *, shared: bool
) -> tuple[datetime, str | None]:
    """Return the time of the snapshot that a connection reads and, where it can be shared, its name.

    Servers behind the source take theirs now, all within moments; those cannot be shared.
    """
    if shared and topology.is_one_server:
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
            return row[0], row[1]
    row = await (await connection.execute("SELECT clock_timestamp()")).fetchone()
    assert row is not None
    if not topology.is_one_server:
        for statement in _TOUCH:
            await connection.execute(statement)
    return row[0], None
