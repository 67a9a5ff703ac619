"""What every function of ours has, so that nobody who calls one can make it run code of theirs."""

from alembic import op
from sqlalchemy import text

_FUNCTIONS = text("""
    SELECT oid::regprocedure::text FROM pg_proc
    WHERE pronamespace = CAST(:schema AS regnamespace) AND proname ~ :names AND NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e'
    )
    ORDER BY 1
""")


def find_schema(table: str) -> str:
    """Return the quoted name of the schema that a table of ours lies in."""
    query = text("SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = to_regclass(:table)")
    return str(op.get_bind().execute(query, {"table": table}).scalar_one())


def seal_functions(schema: str, names: str) -> None:
    """Fix where functions of ours, those whose names match a regular expression, look for tables and operators.

    `pg_temp` is named last, because PostgreSQL looks there first where it is not named (CVE-2018-1058). Nor may others
    attach them to tables of their own: a trigger calls its function without asking whether the writer may.
    """
    connection = op.get_bind()
    for function in connection.execute(_FUNCTIONS, {"schema": schema, "names": names}).scalars().all():
        op.execute(f"ALTER FUNCTION {function} SET search_path = pg_catalog, {schema}, pg_temp")
        op.execute(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")
