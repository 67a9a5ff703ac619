"""What holds the rows of a table or view, and whether that has changed since a snapshot."""

import psycopg

from core.errors import StatementDropped

# Finds what holds the rows of the table or view `:relation`: tables behind views, and partitions. A view's rule depends
# on what the view reads; a materialized view holds its rows itself.
BEHIND = """
    WITH RECURSIVE behind (oid) AS (
        SELECT CAST(to_regclass(:relation) AS oid)
        UNION
        SELECT next.oid FROM behind CROSS JOIN LATERAL (
            SELECT refobjid AS oid FROM pg_rewrite
                JOIN pg_depend ON classid = 'pg_rewrite'::regclass AND objid = pg_rewrite.oid
                JOIN pg_class ON pg_class.oid = ev_class AND relkind = 'v'
                WHERE ev_class = behind.oid AND refclassid = 'pg_class'::regclass
            UNION ALL
            SELECT inhrelid FROM pg_inherits WHERE inhparent = behind.oid
        ) AS next
    )
"""

# Whether a table that this transaction has locked holds other rows than in its snapshot: it was made, attached or
# detached since, or what it holds was written anew, as by TRUNCATE. What is found by functions is as of now.
IS_OUTDATED = """
    SELECT EXISTS (
        SELECT FROM pg_locks LEFT JOIN pg_class ON pg_class.oid = relation
        WHERE pid = pg_backend_pid() AND locktype = 'relation' AND (
            pg_class.oid IS NULL
            OR relkind IN ('r', 'm') AND (
                relfilenode NOT IN (0, pg_relation_filenode(relation))
                OR relispartition <> (pg_partition_root(relation) IS NOT NULL)
            )
            OR relkind = 'p' AND EXISTS (
                SELECT FROM pg_inherits WHERE inhparent = relation AND NOT inhdetachpending
                    AND pg_partition_root(inhrelid) IS DISTINCT FROM pg_partition_root(relation)
            )
        )
    )
"""

OUTDATED = "The tables that this reads have just been changed: try again in a few seconds."


async def hold_tables(connection: psycopg.AsyncConnection, statement: str) -> None:
    """Keep the tables that a statement reads as they are in the snapshot, until the transaction ends.

    A snapshot is of rows alone: of tables that have changed since, a statement would leave rows out without a word.
    Raises `StatementDropped` where they have.
    """
    # Locks them, and reads none of their rows.
    await connection.execute(f"EXPLAIN (COSTS false) {statement}")
    row = await (await connection.execute(IS_OUTDATED)).fetchone()
    if row is None or row[0]:
        raise StatementDropped(OUTDATED)
