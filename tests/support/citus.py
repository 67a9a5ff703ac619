"""Sources whose tables Citus distributes: a real one where TEST_SOURCE_URL names one, else one that only looks so.

What only looks so is one PostgreSQL with the catalogue of Citus: it takes every query, so that what is sent to nodes is
tried for its answer here, and for whether nodes can give it on a real one only.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote
from uuid import uuid4

import psycopg

from tests.conftest import TestServer

REAL = os.environ.get("TEST_SOURCE_URL")

JOBS = (
    "job_id, client_id, type, status, is_prohibited, created_at, completed_at, prompt, reason, api_key_id, api_key_name"
)
LOGS = "log_id, job_id, created_at, category_ai_adult_general, category_underage, category_nsfw"

TABLES = """
    CREATE TABLE jobs (
        job_id uuid NOT NULL, client_id text NOT NULL, type text NOT NULL, status text NOT NULL, is_prohibited boolean,
        created_at timestamptz NOT NULL, completed_at timestamptz, prompt text, reason text,
        api_key_id text, api_key_name text
    );
    CREATE TABLE moderation_logs (
        log_id bigint NOT NULL, job_id uuid NOT NULL, created_at timestamptz NOT NULL,
        category_ai_adult_general boolean, category_underage boolean, category_nsfw boolean, client_id text NOT NULL
    );
    CREATE INDEX ON jobs (created_at, job_id);
    CREATE INDEX ON jobs (client_id, created_at, job_id);
    CREATE INDEX ON jobs (job_id);
    CREATE INDEX ON moderation_logs (job_id, created_at, log_id);
"""
CATALOGUE = """
    SET allow_system_table_mods = on;
    CREATE TABLE pg_catalog.pg_dist_node (
        nodeid int, groupid int, nodename text, nodeport int, noderole text DEFAULT 'primary', shouldhaveshards boolean,
        isactive boolean
    );
    CREATE TABLE pg_catalog.pg_dist_local_group (groupid int);
    CREATE TABLE pg_catalog.pg_dist_partition (
        logicalrelid regclass, partmethod "char", partkey text, colocationid int
    );
    CREATE TABLE pg_catalog.pg_dist_shard (logicalrelid regclass, shardid bigint, shardminvalue text);
    CREATE TABLE pg_catalog.pg_dist_placement (shardid bigint, shardstate int, groupid int);
    CREATE FUNCTION pg_catalog.shard_name(regclass, bigint) RETURNS text LANGUAGE sql
        AS 'SELECT quote_ident(relname || ''_'' || $2) FROM pg_class WHERE oid = $1';
    CREATE FUNCTION pg_catalog.column_to_column_name(regclass, text) RETURNS text LANGUAGE sql AS 'SELECT $2';
    GRANT SELECT ON pg_catalog.pg_dist_node, pg_catalog.pg_dist_partition, pg_catalog.pg_dist_local_group,
        pg_catalog.pg_dist_shard, pg_catalog.pg_dist_placement TO PUBLIC;
    RESET allow_system_table_mods;
    INSERT INTO pg_catalog.pg_dist_node (nodeid, groupid, shouldhaveshards, isactive)
        VALUES (1, 0, false, true), (2, 1, true, true), (3, 2, true, true);
    INSERT INTO pg_catalog.pg_dist_local_group VALUES (0);
"""
# Notes it, and refuses what Citus refuses.
CREATE_DISTRIBUTED = """
    CREATE FUNCTION create_distributed_table(name regclass, by text, colocate_with text) RETURNS void LANGUAGE plpgsql
        AS $$
    BEGIN
        IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = name AND NOT tgisinternal) THEN
            RAISE 'it has triggers';
        END IF;
        IF EXISTS (
            SELECT FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attname = by
            WHERE indrelid = name AND indisunique AND attnum <> ALL (indkey::int2[])
        ) THEN
            RAISE 'a key lacks %', by;
        END IF;
        INSERT INTO pg_catalog.pg_dist_partition VALUES (name, 'h', by, 1);
    END
    $$;
"""


def distribute(connection: psycopg.Connection, table: str, by: str | None, group: int = 1) -> None:
    """Note in a catalogue that looks like that of Citus how a table is distributed."""
    method = "n" if by is None else "h"
    row = (table, method, by, group)
    connection.execute("INSERT INTO pg_catalog.pg_dist_partition VALUES (%s::regclass, %s, %s, %s)", row)


@contextmanager
def distributable(server: TestServer) -> Iterator[str]:
    """Make a place for tables where they can be distributed; give its URL."""
    name = f"fencepost_own_{uuid4().hex[:8]}"
    if REAL is None:
        url = server.create_empty(name)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute((CATALOGUE + CREATE_DISTRIBUTED).encode())
        yield url
        server.drop(name)
        return
    with psycopg.connect(REAL, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}".encode())
    yield within(name)
    with psycopg.connect(REAL, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA {name} CASCADE".encode())


def within(schema: str) -> str:
    """Give the URL of a schema in the database of the real Citus."""
    return f"{REAL}{'&' if '?' in str(REAL) else '?'}options={quote(f'-csearch_path={schema}')}"


@contextmanager
def distributed_copy(server: TestServer, whole: str, by: str) -> Iterator[str]:
    """Copy the jobs and logs of a database into tables that are distributed by a column; give the source's URL."""
    name = f"fencepost_{by}_{uuid4().hex[:8]}"
    if REAL is not None:
        with psycopg.connect(REAL, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}; SET search_path = {name}; {TABLES}".encode())
            connection.execute("SELECT create_distributed_table('jobs', %s)", (by,))
            connection.execute("SELECT create_distributed_table('moderation_logs', %s, colocate_with => 'jobs')", (by,))
            copy_rows(whole, connection)
            connection.execute("ANALYZE jobs, moderation_logs")
        yield f"{REAL}{'&' if '?' in REAL else '?'}options={quote(f'-csearch_path={name}')}"
        with psycopg.connect(REAL, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA {name} CASCADE".encode())
        return
    url = server.create_empty(name)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLES.encode())
        copy_rows(whole, connection)
        connection.execute(CATALOGUE.encode())
        for table in ("jobs", "moderation_logs"):
            distribute(connection, table, by)
        connection.execute("ANALYZE")
    yield url
    server.drop(name)


def copy_rows(whole: str, target: psycopg.Connection) -> None:
    of_logs = ", ".join(f"moderation_logs.{column}" for column in LOGS.split(", "))
    both = (
        (f"SELECT {JOBS} FROM jobs", f"jobs ({JOBS})"),
        (
            f"SELECT {of_logs}, client_id FROM moderation_logs JOIN jobs USING (job_id)",
            f"moderation_logs ({LOGS}, client_id)",
        ),
    )
    with psycopg.connect(whole) as connection:
        for query, table in both:
            with (
                connection.cursor().copy(f"COPY ({query}) TO STDOUT".encode()) as rows,
                target.cursor().copy(f"COPY {table} FROM STDIN".encode()) as copied,
            ):
                for block in rows:
                    copied.write(block)
