"""The columns of the source: those that Fencepost needs, and the view that casts what has another type."""

import re
from collections.abc import Iterator

from sqlalchemy import Column, Connection, text
from sqlalchemy.dialects import postgresql

from core.check.finding import Finding, advice, ok, problem
from core.check.relation import ColumnOf, Relation
from core.db.schema import OPTIONAL, jobs, moderation_logs

# The columns of each table, and those that every query needs.
KNOWN = {table.name: tuple(table.columns) for table in (jobs, moderation_logs)}
WANTED = {name: tuple(column for column in columns if column.name not in OPTIONAL) for name, columns in KNOWN.items()}

# Types that are read as those wanted; psycopg and every query of ours treat them alike.
ALIKE = {
    "text": r"character varying(\(\d+\))?",
    "timestamp with time zone": r"timestamp\(\d\) with time zone",
    "bigint": r"integer|smallint",
}

# What a view says for a column of another type, by the type that is wanted: the first pattern that fits.
_CASTS: dict[str, list[tuple[str, str]]] = {
    "text": [(r".*", "{}::text")],
    "uuid": [
        (r"text|character.*", "{}::uuid"),
        # Nothing is lost: each number has its own id, and they sort alike.
        (r"bigint|integer|smallint", "lpad(to_hex({}), 32, '0')::uuid"),
        (r".*", "md5({}::text)::uuid"),
    ],
    "boolean": [
        (r"bigint|integer|smallint|numeric.*|double precision|real", "({} <> 0)"),
        (r"jsonb?", "({} #>> '{{}}')::boolean"),
        (r".*", "{}::boolean"),
    ],
    "timestamp with time zone": [
        (r"timestamp.*without time zone", "{} AT TIME ZONE 'UTC'"),
        (r"date", "{}::timestamp AT TIME ZONE 'UTC'"),
        (r"bigint|integer|numeric.*|double precision", "to_timestamp({})"),
        (r".*", "{}::timestamptz"),
    ],
    "bigint": [(r"uuid|text|character.*", "hashtextextended({}::text, 0)"), (r".*", "{}::bigint")],
}

# What a view may say for a column that there is not; of the other two nothing can be guessed.
_CONSTANTS = {
    "client_id": "'all'::text",
    "type": "'prompt'::text",
    "status": "'completed'::text",
    "log_id": "0::bigint",
}

_ROLE = text("""
    SELECT quote_ident(current_user) AS role, quote_ident(session_user) AS login,
        quote_ident(current_database()) AS database, current_setting('search_path') AS path
""")


def type_of(column: "Column[object]") -> str:
    """Return the type that is wanted of a column, as PostgreSQL prints it."""
    return column.type.compile(dialect=postgresql.dialect()).lower()  # type: ignore[no-untyped-call]


def check_columns(connection: Connection, relation: Relation) -> Iterator[Finding]:
    """Compare the columns with those that are wanted. The finding that mends them all comes last."""
    faults = []
    for column in WANTED[relation.name]:
        found = relation.columns.get(column.name)
        fault = _fault(relation, column, found)
        if fault is not None:
            faults.append(fault)
            yield fault
        elif found is not None and found.is_nullable and not column.nullable and relation.kind in "rp":
            yield advice(
                f"{relation.name}.{column.name} may be null, and rows in which it is are not shown: forbid it, where "
                "there are none.",
                f"ALTER TABLE {relation.place} ALTER COLUMN {column.name} SET NOT NULL;",
            )
    if not faults:
        yield ok(f"`{relation.name}` has the columns that are needed.")
        yield from _check_optional(relation)
    else:
        yield _remedy(connection, relation)


def _check_optional(relation: Relation) -> Iterator[Finding]:
    """Say what a relation lacks that queries can do without."""
    known = [column.name for column in KNOWN[relation.name] if column.name in OPTIONAL]
    if known and not set(known) <= relation.columns.keys():
        yield ok(
            f"`{relation.name}` does not have both of {' and '.join(known)}, which are optional: without them nobody "
            "sees which API key a job was submitted with, and the filter api_key_id finds nothing."
        )


def fits(relation: Relation) -> bool:
    """Tell whether queries can read the relation as it is."""
    return not any(
        (found := relation.columns.get(column.name)) is None or _is_foreign(type_of(column), found.type)
        for column in WANTED[relation.name]
    )


def _is_foreign(wanted: str, found: str) -> bool:
    return found != wanted and re.fullmatch(ALIKE.get(wanted, "(?!)"), found) is None


def _fault(relation: Relation, column: "Column[object]", found: ColumnOf | None) -> Finding | None:
    name, wanted = f"{relation.name}.{column.name}", type_of(column)
    if found is None:
        return problem(f"There is no column {name}, a {wanted}: add it, or give it in a view.")
    if _is_foreign(wanted, found.type):
        return problem(f"{name} is {found.type}, and queries need {wanted}: cast it in a view.")
    if found.takes_as_equal:
        return problem(
            f"The collation of {name} takes different texts for the same, so that a key sees the jobs of another "
            "client, or a filter finds what it should not: give it another one in a view."
        )
    if found.type == wanted:
        return None
    if wanted == "text":
        return advice(f"{name} is {found.type}, which is read as text is; a view can cast it.")
    return None


def _remedy(connection: Connection, relation: Relation) -> Finding:
    """Write the view that gives a relation the columns that are needed, in a schema that comes first."""
    expressions = []
    for column in KNOWN[relation.name]:
        if column.name in OPTIONAL and column.name not in relation.columns:
            continue
        found = relation.columns.get(column.name)
        expression = _expression(column, found)
        if expression is None:
            return advice(
                f"No view can be suggested for `{relation.name}`, because nothing can be guessed for "
                f"{column.name}: docs/own-database.md has a recipe."
            )
        expressions.append(expression if expression == column.name else f"{expression} AS {column.name}")
    row = connection.execute(_ROLE).one()
    schema = "fencepost_views" if relation.place.startswith("fencepost.") else "fencepost"
    path = ", ".join([schema, *(each for each in row.path.split(", ") if each != schema)])
    return advice(
        f"This view gives `{relation.name}` the columns that are needed, where times without a zone are UTC; as the "
        "owner of the tables, run what follows, and the role finds the view first.",
        f"CREATE SCHEMA IF NOT EXISTS {schema};",
        f"CREATE VIEW {schema}.{relation.name} AS SELECT {', '.join(expressions)} FROM {relation.place};",
        f"GRANT USAGE ON SCHEMA {schema} TO {row.role};",
        f"GRANT SELECT ON {schema}.{relation.name} TO {row.role};",
        f"ALTER ROLE {row.login} IN DATABASE {row.database} SET search_path = {path};",
    )


def _expression(column: "Column[object]", found: ColumnOf | None) -> str | None:
    wanted = type_of(column)
    if found is None:
        return f"NULL::{wanted}" if column.nullable else _CONSTANTS.get(column.name)
    collation = ' COLLATE "default"' if wanted == "text" and found.takes_as_equal else ""
    if found.type == wanted or (wanted != "text" and not _is_foreign(wanted, found.type)):
        return column.name + collation
    cast = next(cast for pattern, cast in _CASTS[wanted] if re.fullmatch(pattern, found.type))
    return cast.format(column.name) + collation
