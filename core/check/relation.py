"""A table or view of the source: what it is, its columns, and the tables that are behind it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from core.check.finding import Finding, advice, ok, problem
from core.db.relations import BEHIND

NAMES = ("jobs", "moderation_logs")

KINDS = {
    "r": "a table",
    "p": "a partitioned table",
    "v": "a view",
    "m": "a materialized view",
    "f": "a foreign table",
}


@dataclass(frozen=True, slots=True)
class ColumnOf:
    """A column as it is; the type of a domain is the one beneath it.

    `takes_as_equal`: its collation (a nondeterministic one) takes texts for equal that are not the same.
    """

    type: str
    is_nullable: bool
    is_readable: bool
    takes_as_equal: bool


@dataclass(frozen=True, slots=True)
class Stored:
    """A relation that holds rows, or whose partitions do. `place` is its full name, as SQL writes it."""

    place: str
    kind: str
    oid: int
    is_partition: bool


@dataclass(frozen=True, slots=True)
class Relation:
    """`name` is what queries say, `place` its full name; `behind` are those that hold the rows, with partitions."""

    name: str
    place: str
    oid: int
    kind: str
    columns: Mapping[str, ColumnOf]
    behind: Sequence[Stored]
    size: int

    @property
    def is_view(self) -> bool:
        return self.kind == "v"

    @property
    def tables(self) -> list[Stored]:
        """The tables behind it, without their partitions' parents."""
        return [stored for stored in self.behind if stored.kind in "rm"]

    @property
    def is_foreign(self) -> bool:
        return any(stored.kind == "f" for stored in self.behind)


_FIND = text("""
    SELECT oid, relkind::text AS kind, relnamespace::regnamespace || '.' || quote_ident(relname) AS place
    FROM pg_class WHERE oid = to_regclass(:name) AND relkind IN ('r', 'p', 'v', 'm', 'f')
""")

_COLUMNS = text("""
    SELECT attname, NOT attnotnull AS is_nullable, has_column_privilege(attrelid, attnum, 'SELECT') AS is_readable,
        NOT coalesce(collisdeterministic, true) AS takes_as_equal,
        CASE typtype WHEN 'd' THEN format_type(typbasetype, typtypmod) ELSE format_type(atttypid, atttypmod) END AS type
    FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid LEFT JOIN pg_collation ON pg_collation.oid = attcollation
    WHERE attrelid = :oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum
""")

_BEHIND = text(f"""
    {BEHIND} SELECT relnamespace::regnamespace || '.' || quote_ident(relname) AS place, relkind::text AS kind, oid,
        relispartition AS is_partition, coalesce(pg_total_relation_size(oid), 0) AS size
    FROM behind JOIN pg_class USING (oid) WHERE relkind IN ('r', 'p', 'm', 'f') ORDER BY place
""")

_ELSEWHERE = text("""
    SELECT relnamespace::regnamespace::text AS schema, has_schema_privilege(relnamespace, 'USAGE') AS may_use,
        quote_ident(current_user) AS role, quote_ident(session_user) AS login,
        quote_ident(current_database()) AS database, current_setting('search_path') AS path
    FROM pg_class WHERE relname = :name AND relkind IN ('r', 'p', 'v', 'm', 'f')
        AND relnamespace::regnamespace::text !~ '^(pg_|information_schema)' ORDER BY relnamespace LIMIT 1
""")


def find_relation(connection: Connection, name: str) -> Relation | None:
    """Find what a name means in the search path of this connection."""
    found = connection.execute(_FIND, {"name": name}).one_or_none()
    if found is None:
        return None
    columns = {
        row.attname: ColumnOf(row.type, row.is_nullable, row.is_readable, row.takes_as_equal)
        for row in connection.execute(_COLUMNS, {"oid": found.oid})
    }
    behind = list(connection.execute(_BEHIND, {"relation": name}))
    stored = [Stored(row.place, row.kind, row.oid, row.is_partition) for row in behind]
    return Relation(name, found.place, found.oid, found.kind, columns, stored, sum(int(row.size) for row in behind))


def check_relation(connection: Connection, name: str, relation: Relation | None, remedy: str) -> Iterator[Finding]:
    """Say what a relation is, or where it is missing."""
    if relation is None:
        yield _missing(connection, name, remedy)
        return
    kind = KINDS[relation.kind]
    if relation.is_view:
        kind += f" over {_list(relation.behind)}" if relation.behind else " over no table"
    yield ok(f"`{name}` is {kind} ({relation.place}).")
    if any(stored.kind == "m" for stored in relation.behind):
        yield advice(
            f"What `{name}` shows is as old as the last refresh of a materialized view: refresh it as often as "
            "new jobs are to show."
        )
    if relation.is_foreign:
        yield advice(
            f"`{name}` reads foreign tables, whose servers share no snapshot: an export uses one connection, and reads "
            "each server as it was within moments of the others (see docs/large.md)."
        )


def _missing(connection: Connection, name: str, remedy: str) -> Finding:
    found = connection.execute(_ELSEWHERE, {"name": name}).one_or_none()
    if found is None:
        return problem(f"There is no table or view `{name}`: {remedy}.")
    if not found.may_use:
        return problem(
            f"`{name}` is in the schema {found.schema}, which this role may not use: grant it, as its owner.",
            f"GRANT USAGE ON SCHEMA {found.schema} TO {found.role};",
        )
    return problem(
        f"`{name}` is in the schema {found.schema}, where queries of this role do not look: put it on the path.",
        f"ALTER ROLE {found.login} IN DATABASE {found.database} SET search_path = {found.schema}, {found.path};",
    )


def _list(behind: Sequence[Stored]) -> str:
    """Name the first tables; partitions may be hundreds."""
    more = f" and {len(behind) - 5} more" if len(behind) > 5 else ""
    return ", ".join(stored.place for stored in behind[:5]) + more


def is_plain(name: str) -> bool:
    """Tell whether SQL text is no more than the name of a column."""
    return re.fullmatch(r'[a-z_][a-z0-9_$]*|"([^"]|"")+"', name) is not None
