"""What files still hold of rows that are gone: vacuumed away, and from PostgreSQL's own statistics of columns, too."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, text

from core.db.databases import Databases
from core.errors import DatabaseUnavailable
from core.program import COMMAND

AGAIN = f"run `{COMMAND} erase --traces` when that has ended"

# Where texts of jobs, and of people about them, lie.
OURS = ("reviews", "review_drafts", "review_claims", "gold_turns", "noted_reasons", "sample_strata")
WITH_JOBS = ("jobs", "moderation_logs", "job_facts", "job_counts", "job_reason_counts", "job_reasons")

# Tables with nothing in them are not analysed: what was known of their columns would stay, with the commonest values.
_STALE = text("""
    WITH tree AS MATERIALIZED (
        SELECT DISTINCT given.oid AS top, part.oid
        FROM unnest(CAST(:tables AS regclass[])) AS given (oid) CROSS JOIN LATERAL (
            SELECT relid::oid AS oid FROM pg_partition_tree(given.oid) UNION SELECT given.oid
        ) AS part
    ), described AS MATERIALIZED (
        SELECT DISTINCT format('%I.%I', schemaname, tablename)::regclass::oid AS oid FROM pg_stats
        WHERE schemaname !~ '^(pg_|information_schema$)'
    )
    SELECT tree.oid::regclass::text FROM tree JOIN pg_class ON pg_class.oid = tree.oid
    WHERE CASE relkind WHEN 'p' THEN NOT EXISTS (
            SELECT FROM tree AS part JOIN pg_class AS leaf ON leaf.oid = part.oid
            WHERE part.top = tree.oid AND leaf.relkind = 'r' AND leaf.reltuples <> 0
        ) ELSE reltuples = 0 END
        AND (tree.oid IN (SELECT oid FROM described)
            OR EXISTS (SELECT FROM pg_index WHERE indrelid = tree.oid AND indexrelid IN (SELECT oid FROM described)))
    ORDER BY 1
""")

_CLEAR = text("""
    SELECT pg_clear_attribute_stats(schemaname, tablename, attname, inherited) FROM pg_stats
    WHERE (schemaname, tablename) IN (
        SELECT nspname, relation.relname FROM pg_class AS relation
        JOIN pg_namespace ON pg_namespace.oid = relation.relnamespace
        WHERE relation.oid = CAST(:name AS regclass)
            OR relation.oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = CAST(:name AS regclass))
    )
""")

_READERS = text("""
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xmin IS NOT NULL AND xact_start < :since
""")

_ROLE = text("""
    SELECT rolsuper, rolsuper OR pg_has_role(datdba, 'USAGE') AS owns_database,
        current_setting('server_version_num')::int / 10000 AS version
    FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()
""")


def remove_traces(databases: Databases, since: datetime, *, rewrite: bool) -> Iterator[str]:
    """Vacuum what rows were erased from before `since`; give a sentence for each thing that somebody else has to do.

    `rewrite`: the tables are written anew, so that no byte of what was erased is left in their files; nobody reads or
    writes them meanwhile.
    """
    ours, tables = databases.ours, OURS + (WITH_JOBS if databases.jobs_are_ours else ())
    with ours.transaction() as connection:
        readers = connection.execute(_READERS, {"since": since}).scalar_one()
    if readers:
        yield f"Somebody who began to read before, such as an export, still sees what was erased: {AGAIN}."
    try:
        ours.vacuum(*tables, full=rewrite)
    except DatabaseUnavailable:
        yield f"The tables are in use, so that they could not be vacuumed: {AGAIN}."
        return
    with ours.transaction() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        role = connection.execute(_ROLE).one()
        stale = list(connection.execute(_STALE, {"tables": list(tables)}).scalars())
        for name in stale:
            if not _clear(connection, name, is_superuser=role.rolsuper, version=role.version):
                yield (
                    f"PostgreSQL {role.version} keeps its statistics of the empty table {name}, which may quote texts: "
                    f"let a superuser run DELETE FROM pg_statistic WHERE starelid = '{name}'::regclass."
                )
    if role.owns_database:
        ours.vacuum("pg_statistic", full=rewrite)
    else:
        yield "PostgreSQL's statistics may quote texts until a superuser runs VACUUM pg_statistic: ask one."
    if databases.source.topology().is_distributed and databases.jobs_are_ours:
        yield (
            "The nodes of Citus keep statistics of their own, which may quote texts: let a superuser run DELETE FROM "
            "pg_statistic, ANALYZE and VACUUM pg_statistic on each of them."
        )
    if not rewrite:
        yield (
            "In the free space of pages bytes of what was erased may lie until new rows take their place: --rewrite "
            "writes the tables anew, and keeps everybody waiting meanwhile."
        )


def _clear(connection: Connection, name: str, *, is_superuser: bool, version: int) -> bool:
    """Clear what is known of the columns of a table and its indexes; return whether that is possible here."""
    if version >= 18:
        connection.execute(_CLEAR, {"name": name})
        return True
    if is_superuser:
        connection.execute(
            text("""
                DELETE FROM pg_statistic WHERE starelid = CAST(:name AS regclass)
                    OR starelid IN (SELECT indexrelid FROM pg_index WHERE indrelid = CAST(:name AS regclass))
            """),
            {"name": name},
        )
    return is_superuser
