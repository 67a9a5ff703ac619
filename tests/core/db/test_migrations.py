"""Migrations: from nothing, again, at once, with and without jobs."""

import re
import threading
from collections.abc import Iterator

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from pydantic import SecretStr

from core.db import migrations
from core.db.databases import Databases
from core.db.schema import ours, source
from core.db.startup import migrate, open_databases
from core.errors import DatabaseUnavailable, NotPossible
from core.facts.statements import TABLES, list_functions, list_triggers
from core.facts.tables import beside
from core.gold import tables as gold_tables
from core.intake import totals
from core.keeping import holds
from core.settings import Settings
from tests.conftest import TestServer

OURS = ["alembic_version", "api_keys", "audit_events", "audit_lock", "exports", "people"]
OURS = [*OURS, "policies", "review_claims", "review_drafts", "reviews", "sample_jobs", "sample_strata", "samples"]
OURS = [*OURS, "sessions", "syncs", "noted_reasons", "review_exports", "upkeep_tasks"]
OURS = sorted([*OURS, "holds", "erased_jobs", "webhook_deliveries", "webhook_endpoints", "rights"])
OURS = sorted([*OURS, "gold_answers", "gold_settings", "gold_turns", "import_totals", "queues"])
FACTS = ["job_counts", "job_facts", "job_facts_state", "job_facts_unsettled", "job_reason_counts", "job_reasons"]
ALL = sorted([*OURS, *FACTS, "jobs", "moderation_logs"])


@pytest.fixture
def empty(empty_database_url: str) -> Iterator[psycopg.Connection]:
    """A connection to the database without tables. Commits at once."""
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        yield connection


def tables(connection: psycopg.Connection) -> list[str]:
    rows = connection.execute("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    return [name for (name,) in rows]


def definition(connection: psycopg.Connection) -> list[tuple[object, ...]]:
    """Describe all columns, indexes and constraints."""
    return connection.execute("""
        SELECT table_name, column_name, data_type, is_nullable, column_default, is_identity
        FROM information_schema.columns WHERE table_schema = 'public'
        UNION ALL SELECT tablename, indexname, indexdef, '', '', '' FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', '', ''
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        ORDER BY 1, 2, 3
    """).fetchall()


def test_tables_are_created_from_nothing(empty_database_url: str, empty: psycopg.Connection) -> None:
    """In an empty database all tables are made, and the application finds everything that it needs."""
    settings = Settings(database_url=SecretStr(empty_database_url))

    migrate(settings)

    assert tables(empty) == ALL
    check(settings)


def test_migrating_again_changes_nothing(empty_database_url: str, empty: psycopg.Connection) -> None:
    """A second run finds nothing to do."""
    settings = Settings(database_url=SecretStr(empty_database_url))
    migrate(settings)
    before = definition(empty)

    migrate(settings)

    assert definition(empty) == before


def test_without_jobs_only_our_own_tables_are_made(
    empty_database_url: str, empty: psycopg.Connection, database_url: str, connection: psycopg.Connection
) -> None:
    """Where the jobs live elsewhere, none are made here, and nothing is made there."""
    connection.execute("DROP TABLE exports, api_keys, audit_events, audit_lock, sessions, people, alembic_version")
    connection.execute("DROP TABLE reviews, review_drafts, review_claims, syncs, sample_jobs, sample_strata, samples")
    connection.execute("DROP TABLE noted_reasons, review_exports, upkeep_tasks, webhook_deliveries, webhook_endpoints")
    connection.execute("DROP TABLE policies, rights, queues, holds, erased_jobs")
    connection.execute("DROP TABLE gold_answers, gold_settings, gold_turns, import_totals")
    settings = Settings(database_url=SecretStr(empty_database_url), source_database_url=SecretStr(database_url))

    migrate(settings)

    assert tables(empty) == OURS
    assert tables(connection) == sorted(set(ALL) - set(OURS))
    check(settings)


def test_jobs_are_added_when_they_move_in(
    empty_database_url: str, empty: psycopg.Connection, database_url: str
) -> None:
    """Who unsets SOURCE_DATABASE_URL later is told to migrate, and gets the jobs' tables then."""
    url = SecretStr(empty_database_url)
    migrate(Settings(database_url=url, source_database_url=SecretStr(database_url)))
    alone = Settings(database_url=url)

    with pytest.raises(DatabaseUnavailable):
        check(alone)
    migrate(alone)

    assert tables(empty) == ALL
    check(alone)


def test_the_owner_migrates_where_it_is_named(
    empty_database_url: str, empty: psycopg.Connection, server: TestServer
) -> None:
    """With MIGRATE_DATABASE_URL that address is used for migrations, and DATABASE_URL is not even opened."""
    settings = Settings(
        database_url=SecretStr(server.url_of("fencepost_there_is_none")),
        migrate_database_url=SecretStr(empty_database_url),
    )

    migrate(settings)

    assert tables(empty) == ALL


def test_processes_that_migrate_at_once_do_not_disturb_each_other(
    empty_database_url: str, empty: psycopg.Connection
) -> None:
    """Several starts at one moment make the tables once."""
    settings = Settings(database_url=SecretStr(empty_database_url))
    failures: list[BaseException] = []

    def migrate_too() -> None:
        try:
            migrate(settings)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=migrate_too) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert tables(empty) == ALL


def test_a_migration_is_all_or_nothing(empty_database_url: str, empty: psycopg.Connection) -> None:
    """Where a table of that name stands in the way, nothing is made at all."""
    empty.execute("CREATE TABLE moderation_logs (something text)")

    with pytest.raises(NotPossible):
        migrate(Settings(database_url=SecretStr(empty_database_url)))

    assert tables(empty) == ["moderation_logs"]


def test_the_tables_have_the_columns_that_the_code_knows(connection: psycopg.Connection) -> None:
    """What the migrations make and what the code declares agree, column by column."""
    assert {gold_tables.gold_turns.name, holds.holds.name, totals.import_totals.name} <= set(ours.tables)
    known = {
        (table.name, column.name, "NO" if not column.nullable else "YES")
        for metadata in (ours, source, beside)
        for table in metadata.tables.values()
        for column in table.columns
    }

    made = connection.execute("""
        SELECT table_name::text, column_name::text, is_nullable::text FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name <> 'alembic_version'
    """).fetchall()

    assert set(made) == known


def test_the_tables_have_the_columns_of_the_contract(connection: psycopg.Connection) -> None:
    """The columns of the jobs, their logs and the receipts are those that others rely on, in their order."""
    rows = connection.execute("""
        SELECT table_name::text, string_agg(column_name || ' ' || data_type, ', ' ORDER BY ordinal_position)
        FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name IN ('jobs', 'moderation_logs', 'exports') GROUP BY 1
    """).fetchall()

    assert dict(rows) == {
        "jobs": (
            "job_id uuid, client_id text, type text, status text, is_prohibited boolean, "
            "created_at timestamp with time zone, completed_at timestamp with time zone, prompt text, reason text, "
            "api_key_id text, api_key_name text"
        ),
        "moderation_logs": (
            "log_id bigint, job_id uuid, created_at timestamp with time zone, "
            "category_ai_adult_general boolean, category_underage boolean, category_nsfw boolean"
        ),
        "exports": (
            "export_id uuid, requested_by text, via text, client_id text, filter jsonb, "
            "snapshot_at timestamp with time zone, started_at timestamp with time zone, "
            "heartbeat_at timestamp with time zone, finished_at timestamp with time zone, "
            "status text, rows bigint, bytes bigint, sha256 text, snapshot text, clients ARRAY"
        ),
    }


def check(settings: Settings) -> None:
    opened: Databases = open_databases(settings)
    try:
        opened.check()
    finally:
        opened.close()


def test_facts_are_kept_as_the_code_describes(connection: psycopg.Connection) -> None:
    """What the migrations have made, from statements of their own, is what a source is told to run for its facts.

    Where it is not, the code of facts was changed: that needs a migration, with statements that are frozen in turn.
    """
    made = describe_facts(connection, "public")
    connection.execute("CREATE SCHEMA told")
    connection.execute("SET search_path = told")
    connection.execute("CREATE TABLE jobs (LIKE public.jobs)")
    connection.execute("CREATE TABLE moderation_logs (LIKE public.moderation_logs)")

    for statement in (*TABLES, *list_functions("told"), *list_triggers("jobs"), *list_triggers("moderation_logs")):
        connection.execute(statement.encode())

    assert len(made) > 50
    assert describe_facts(connection, "told") == made


def describe_facts(connection: psycopg.Connection, schema: str) -> set[tuple[str, str]]:
    """Describe columns, indexes, triggers and functions of what is kept beside the jobs, without the schema's name."""
    rows = connection.execute(
        """
        SELECT table_name || '.' || column_name, concat_ws(' ', data_type, is_nullable, column_default, is_identity)
        FROM information_schema.columns WHERE table_schema = %(schema)s
        UNION ALL SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = %(schema)s
        UNION ALL SELECT tgname, concat_ws(' ', pg_get_triggerdef(oid), tgenabled) FROM pg_trigger
        WHERE NOT tgisinternal
            AND tgrelid IN (SELECT oid FROM pg_class WHERE relnamespace = CAST(%(schema)s AS regnamespace))
        UNION ALL SELECT proname, pg_get_functiondef(oid) FROM pg_proc
        WHERE pronamespace = CAST(%(schema)s AS regnamespace) AND prokind = 'f'
        """,
        {"schema": schema},
    )
    beside_jobs = ("job_facts", "job_counts", "job_reason")
    return {
        (str(name), str(text).replace(f"{schema}.", "").replace(f"'{schema}'", "the schema"))
        for name, text in rows
        if str(name).startswith(beside_jobs)
    }


def test_migrations_stay_as_they_are() -> None:
    """What a migration does changes with no code of ours: it imports what helps migrations, and nothing else."""
    imports = [
        line
        for path in migrations.VERSIONS.glob("*.py")
        for line in path.read_text().splitlines()
        if re.match(r"\s*(from|import) (core|api|dashboard)\b", line)
    ]

    assert imports
    assert [line for line in imports if not line.startswith("from core.db.migrations")] == []


def test_files_are_called_as_their_migrations() -> None:
    """What the names of the files tell of the migrations is what Alembic reads in them."""
    config = Config()
    config.set_main_option("script_location", "core.db:migrations")
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)

    assert migrations.list_revisions() == sorted(script.revision for script in scripts.walk_revisions())
    assert sorted(map(migrations.find_head, ("fencepost", "jobs"))) == sorted(scripts.get_heads())
