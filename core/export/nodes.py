"""The nodes of Citus, and which parts of `jobs` and `moderation_logs` each of them has."""

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row

# Names a part as SQL writes it; `shard_name` leaves `public` out.
_NAME = """
    (SELECT CASE WHEN relnamespace = to_regnamespace('public') THEN 'public.' ELSE '' END FROM pg_class WHERE oid = {0})
        || shard_name({0}, {1})
"""

# Finds a row for each place of a part of `jobs`, with the part that has its logs. There is none for a view, nor where
# some rows are hidden from the role or ids are no uuid.
_PARTS = f"""
    SELECT node.groupid AS group, node.nodename AS host, node.nodeport AS port,
        {_NAME.format("of_jobs.logicalrelid", "of_jobs.shardid")} AS jobs,
        {_NAME.format("of_logs.logicalrelid", "of_logs.shardid")} AS logs
    FROM pg_catalog.pg_dist_partition AS jobs
        JOIN pg_catalog.pg_dist_shard AS of_jobs ON of_jobs.logicalrelid = jobs.logicalrelid
        LEFT JOIN pg_catalog.pg_dist_placement AS placed ON placed.shardid = of_jobs.shardid AND placed.shardstate = 1
        LEFT JOIN pg_catalog.pg_dist_node AS node
            ON node.groupid = placed.groupid AND node.noderole = 'primary' AND node.isactive
        LEFT JOIN pg_catalog.pg_dist_partition AS logs ON logs.logicalrelid = to_regclass('moderation_logs')
            AND (logs.colocationid = jobs.colocationid OR logs.partmethod = 'n')
            AND NOT row_security_active(logs.logicalrelid)
        LEFT JOIN pg_catalog.pg_dist_shard AS of_logs ON of_logs.logicalrelid = logs.logicalrelid
            AND (logs.partmethod = 'n' OR of_logs.shardminvalue = of_jobs.shardminvalue)
    WHERE jobs.logicalrelid = to_regclass('jobs') AND jobs.partmethod = 'h'
        AND NOT row_security_active(jobs.logicalrelid)
        AND EXISTS (
            SELECT FROM pg_attribute
            WHERE attrelid = jobs.logicalrelid AND attname = 'job_id' AND atttypid = 'uuid'::regtype
        )
    ORDER BY node.groupid, of_jobs.shardid
"""

_GROUP = "SELECT groupid FROM pg_catalog.pg_dist_local_group"

# How servers on one machine may call each other.
_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))


@dataclass(frozen=True, slots=True)
class Node:
    """A server that has parts of the tables, as those of its cluster call it; `group` is its number there."""

    group: int
    host: str
    port: int

    def seen_from(self, host: str) -> tuple[str, int]:
        """Return its address; what calls itself by the machine it is on is on that of the server that says so."""
        return host if self.host in _LOOPBACK else self.host, self.port

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of `jobs` and the one that has its logs, on the same node, by their names in SQL."""

    group: int
    host: str
    port: int
    jobs: str
    logs: str

    @property
    def node(self) -> Node:
        return Node(self.group, self.host, self.port)


async def find_parts(connection: psycopg.AsyncConnection) -> Sequence[Part]:
    """Find the parts of both tables, in one order on all nodes; none where each has not just one place."""
    async with connection.cursor(row_factory=class_row(Part)) as cursor:
        await cursor.execute(_PARTS)
        parts = await cursor.fetchall()
    is_whole = all(part.host is not None and part.logs is not None for part in parts)
    return parts if is_whole and len({part.jobs for part in parts}) == len(parts) else []


async def find_group(connection: psycopg.AsyncConnection) -> int:
    """Return the number of the node that answers."""
    row = await (await connection.execute(_GROUP)).fetchone()
    assert row is not None
    return int(row[0])
