"""What the migrations make, compared with what is there: they run once more, in a schema that is thrown away."""

from collections.abc import Mapping

from sqlalchemy import Connection, text

from core.db import migrations, partitions
from core.db.migrations import distributed
from core.db.topology import find_topology

_SCRATCH = "fencepost_expected"

# All that tables of ours consist of, each with a name that people know it by, and what it is. Months are left out: they
# are made in time, and that they have their triggers is said elsewhere.
_OBJECTS = text("""
    WITH own AS (
        SELECT oid, relname FROM pg_class
        WHERE relnamespace = CAST(:schema AS regnamespace) AND relkind IN ('r', 'p') AND NOT relispartition
    ), found (kind, name, definition) AS (
        SELECT 'column', relname || '.' || attname, concat_ws(' ', format_type(atttypid, atttypmod), attnotnull,
            nullif(attidentity, ''), pg_get_expr(adbin, adrelid))
        FROM own JOIN pg_attribute ON attrelid = own.oid AND attnum > 0 AND NOT attisdropped
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        UNION ALL
        SELECT 'index', relname::text, concat_ws(' ', pg_get_indexdef(indexrelid), indisvalid)
        FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE indrelid IN (SELECT oid FROM own)
        UNION ALL
        -- That a column is not null is a constraint from PostgreSQL 18 on; it is said of the column above.
        SELECT 'constraint', relname || '.' || conname,
            concat_ws(' ', pg_get_constraintdef(pg_constraint.oid), convalidated)
        FROM own JOIN pg_constraint ON conrelid = own.oid WHERE contype <> 'n'
        UNION ALL
        SELECT 'trigger', relname || '.' || tgname, concat_ws(' ', pg_get_triggerdef(pg_trigger.oid), tgenabled)
        FROM own JOIN pg_trigger ON tgrelid = own.oid WHERE NOT tgisinternal
        UNION ALL
        SELECT 'function', proname || '(' || oidvectortypes(proargtypes) || ')', pg_get_functiondef(oid)
        FROM pg_proc WHERE pronamespace = CAST(:schema AS regnamespace) AND prokind = 'f' AND NOT EXISTS (
            SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e'
        )
    )
    SELECT kind || ' ' || name, definition FROM found
""")


def list_differences(connection: Connection, *, with_jobs: bool) -> list[str]:
    """Name each column, index, constraint, trigger and function that is missing, or is not as the migrations make it.

    Needs the right to create a schema, which is gone when this returns; nothing else is locked or written.
    """
    schema = connection.execute(text("SELECT quote_ident(current_schema)")).scalar_one()
    partitioned = with_jobs and partitions.is_partitioned(connection)
    is_distributed = with_jobs and find_topology(connection).is_distributed
    there = _list_objects(connection, schema, (schema, _SCRATCH))
    path = connection.execute(text("SELECT current_setting('search_path')")).scalar_one()
    made = connection.begin_nested()
    connection.execute(text(f"CREATE SCHEMA {_SCRATCH}"))
    connection.execute(text(f"SET LOCAL search_path = {_SCRATCH}"))
    migrations.upgrade(connection, with_jobs=with_jobs, partitioned=partitioned)
    if is_distributed:
        distributed.prepare(connection)
    wanted = _list_objects(connection, _SCRATCH, (schema, _SCRATCH))
    made.rollback()
    connection.execute(text("SELECT set_config('search_path', :path, true)"), {"path": path})
    return [
        f"{name} is missing" if name not in there else f"{name} is another one"
        for name, definition in sorted(wanted.items())
        if there.get(name) != definition
    ]


def _list_objects(connection: Connection, schema: str, prefixes: tuple[str, ...]) -> Mapping[str, str]:
    """List what is in a schema, without the names of schemas wherever they stand."""
    found = {}
    for name, definition in connection.execute(_OBJECTS, {"schema": schema}):
        bare = definition or ""
        for prefix in prefixes:
            bare = bare.replace(f"{prefix}.", "").replace(f"'{prefix}'", "''").replace(f" {prefix},", " ,")
        found[name] = bare
    return found
