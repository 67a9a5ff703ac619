"""The database's functions: whoever may insert jobs cannot make them run code of theirs as the owner."""

import re
from collections.abc import Iterator
from contextlib import suppress
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from core.actor import COMMAND_LINE
from core.audit.events import Event, record
from core.db.databases import Databases
from core.db.startup import migrate, open_databases
from tests.rules.test_grants import as_role, grant, roles, settings_of  # noqa: F401
from tests.support.rows import NOON

# Functions of an extension, such as pg_trgm, are its own.
FUNCTIONS = """
    SELECT oid::regprocedure::text, prosrc, coalesce(proconfig, '{}') FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace AND NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e'
    )
    ORDER BY 1
"""
COLUMNS = """
    SELECT string_agg(format('CAST(NULL AS %%s) AS %%I', format_type(atttypid, atttypmod), attname), ', '
        ORDER BY attnum)
    FROM pg_attribute WHERE attrelid = CAST(%s AS regclass) AND attnum > 0 AND NOT attisdropped
"""


@pytest.fixture(params=[False, True], ids=["one table", "months"])
def migrated(
    request: pytest.FixtureRequest,
    empty_database_url: str,
    roles: tuple[str, str],  # noqa: F811
) -> Iterator[Databases]:
    """The databases as the application's role; the tables are the owner's, `jobs` in one piece or in months."""
    settings = settings_of(empty_database_url, roles)
    migrate(settings, partitioned=request.param)
    grant(empty_database_url, roles)
    opened = open_databases(settings)
    yield opened
    opened.close()


@pytest.fixture
def importer(
    migrated: Databases,
    empty_database_url: str,
    roles: tuple[str, str],  # noqa: F811
) -> Iterator[psycopg.Connection]:
    """A session of the application's role with the grants that imports need. Commits at once."""
    owner, app = roles
    with psycopg.connect(as_role(empty_database_url, owner), autocommit=True) as connection:
        connection.execute(f"GRANT INSERT, UPDATE, DELETE ON jobs, moderation_logs TO {app}".encode())
    with psycopg.connect(as_role(empty_database_url, app), autocommit=True) as connection:
        yield connection
        # Its end would drop them as well, but beside whoever drops what the role owns.
        connection.execute("DISCARD TEMP")


def test_every_function_is_sealed(connection: psycopg.Connection) -> None:
    """Each function of ours looks into `pg_catalog`, our schema and last `pg_temp`; nobody else may attach or call it.

    What the application calls itself it is granted by name.
    """
    found = connection.execute(FUNCTIONS).fetchall()
    # The names in a body of the SQL standard (`RETURN …`) were resolved when it was made: no path leads it astray.
    resolved = connection.execute("SELECT oid::regprocedure::text FROM pg_proc WHERE prosqlbody IS NOT NULL").fetchall()
    public = connection.execute(
        "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef"
        " AND has_function_privilege('pg_monitor', oid, 'EXECUTE')"
    ).fetchall()

    assert len(found) > 1
    unsealed = {name for name, _, settings in found if "search_path=pg_catalog, public, pg_temp" not in settings}
    assert unsealed <= {name for (name,) in resolved}
    assert public == []


def test_a_temporary_table_gets_no_code_run_by_the_owner(
    migrated: Databases,
    importer: psycopg.Connection,
) -> None:
    """For each function and each table named in it, a temporary relation of that name is never read or written.

    The trap is a view whose reading and writing call a function of the role, which notes as whom it was run.
    """
    tables = {
        name
        for (name,) in importer.execute(
            "SELECT relname::text FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
        )
    }
    functions = importer.execute(FUNCTIONS).fetchall()
    named = {table for _, source, _ in functions for table in tables if re.search(rf"\b{table}\b", source)}
    columns = {table: importer.execute(COLUMNS, [f"public.{table}"]).fetchone() for table in named}
    importer.execute("CREATE TEMPORARY TABLE caught (place text, runs_as text)")
    importer.execute("GRANT ALL ON pg_temp.caught TO PUBLIC")
    importer.execute("""
        CREATE FUNCTION pg_temp.note(place text) RETURNS boolean LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO pg_temp.caught VALUES (place, current_user);
            RETURN true;
        END
        $$
    """)
    importer.execute("""
        CREATE FUNCTION pg_temp.note_writing() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_temp.note(TG_TABLE_NAME);
            RETURN NEW;
        END
        $$
    """)
    for table in sorted(named):
        shape = columns[table]
        assert shape is not None
        importer.execute(
            f"CREATE TEMPORARY VIEW {table} AS SELECT {shape[0] or ''} WHERE pg_temp.note('{table}')".encode()
        )
        importer.execute(
            f"CREATE TRIGGER note INSTEAD OF INSERT OR UPDATE OR DELETE ON pg_temp.{table} FOR EACH ROW"
            " EXECUTE FUNCTION pg_temp.note_writing()".encode()
        )

    job_id = uuid4()
    importer.execute(
        "INSERT INTO public.jobs (job_id, client_id, type, status, created_at) VALUES (%s, 'a', 'pre', 'queued', %s)",
        [job_id, NOON],
    )
    importer.execute("INSERT INTO public.moderation_logs (job_id) VALUES (%s)", [job_id])
    importer.execute("UPDATE public.jobs SET is_prohibited = true")
    importer.execute("UPDATE public.moderation_logs SET category_nsfw = true")
    importer.execute("DELETE FROM public.moderation_logs")
    importer.execute("DELETE FROM public.jobs")
    for name, _, _ in functions:
        nulls = [sql.SQL("NULL")] * (name.count(",") + (not name.endswith("()")))
        call = sql.SQL("SELECT {}({})").format(sql.SQL(name.partition("(")[0]), sql.SQL(", ").join(nulls))
        # Triggers cannot be called, what may not be called is refused, and the audit takes no event without a number.
        with suppress(
            psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported, psycopg.errors.RaiseException
        ):
            importer.execute(call)
    record(migrated, Event.JOBS_LISTED, COMMAND_LINE)

    assert "jobs" in named
    assert importer.execute("SELECT * FROM pg_temp.caught").fetchall() == []


def test_triggers_of_ours_cannot_be_attached_to_tables_of_others(importer: psycopg.Connection) -> None:
    """Who may insert jobs cannot hand rows of their own to a function that runs as the owner."""
    functions = [
        name
        for (name,) in importer.execute(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef"
            " AND prorettype = 'trigger'::regtype"
        )
    ]
    importer.execute("CREATE TEMPORARY TABLE mine (created_at timestamptz, job_id uuid)")

    assert functions != []
    for name in functions:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            importer.execute(
                f"CREATE TRIGGER mine AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION {name}()".encode()
            )
