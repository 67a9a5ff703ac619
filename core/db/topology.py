"""Where the rows of `jobs` and `moderation_logs` lie: on the server that answers, or on servers behind it.

Behind it they are where foreign tables lead there (`postgres_fdw`), and where Citus distributes a table over its nodes.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Connection, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.visitors import InternalTraversal

from core.db.relations import BEHIND

# Each process asks this before its first statement: few servers have either, and then nobody looks behind the tables.
_FOUND = text("""
    SELECT EXISTS (SELECT FROM pg_foreign_table) AS knows_foreign_tables,
        to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL AS is_citus
""")
_FOREIGN = text(f"{BEHIND} SELECT EXISTS (SELECT FROM behind JOIN pg_foreign_table ON ftrelid = behind.oid)")

# What Citus has made of a table; of partitions, of the first. A table that each node has a copy of has no column.
_PLACED = text(f"""
    {BEHIND} SELECT column_to_column_name(logicalrelid, partkey) AS by_column, colocationid AS group,
        EXISTS (
            SELECT FROM pg_attribute
            WHERE attrelid = to_regclass(:relation) AND attname = 'client_id' AND NOT attisdropped
        ) AS names_client
    FROM behind JOIN pg_catalog.pg_dist_partition ON logicalrelid = behind.oid ORDER BY behind.oid LIMIT 1
""")


@dataclass(frozen=True, slots=True)
class Placed:
    """How Citus distributes a table: by which column (None: each node has a copy of it), and beside which others.

    `names_client`: what queries read, be it a view of that table, has a column `client_id`.
    """

    by_column: str | None
    group: int
    names_client: bool


@dataclass(frozen=True, slots=True)
class Topology:
    """Where the rows lie. Of Citus: how both tables are distributed; None: one is not."""

    has_foreign_tables: bool = False
    is_citus: bool = False
    jobs: Placed | None = None
    logs: Placed | None = None

    @property
    def is_distributed(self) -> bool:
        """Whether Citus has distributed a table, so that only queries work that its nodes can answer by themselves."""
        return self.jobs is not None or self.logs is not None

    @property
    def is_one_server(self) -> bool:
        """Whether one server has all rows, and so one snapshot of them."""
        return not (self.has_foreign_tables or self.is_distributed)

    @property
    def joins_by_client(self) -> bool:
        """Whether a job and its logs have to be joined by their client, too, because they are distributed by it."""
        if self.jobs is None or self.logs is None or self.logs.by_column is None:
            return False
        return self.logs.names_client and self.jobs.by_column not in (None, "job_id", "created_at")


ONE_SERVER = Topology()


def find_topology(connection: Connection) -> Topology:
    """Ask the catalogue where the rows lie."""
    names = ("jobs", "moderation_logs")
    found = connection.execute(_FOUND).one()
    foreign = found.knows_foreign_tables and any(
        connection.execute(_FOREIGN, {"relation": name}).scalar_one() for name in names
    )
    if not found.is_citus:
        return Topology(has_foreign_tables=foreign)
    jobs, logs = (connection.execute(_PLACED, {"relation": name}).one_or_none() for name in names)
    placed = [None if row is None else Placed(row.by_column, row.group, row.names_client) for row in (jobs, logs)]
    return Topology(foreign, True, *placed)


def topology_of(connection: Connection) -> Topology:
    """Return where the rows lie that a connection of a `Database` reads."""
    found: Topology = getattr(connection.dialect, "topology", ONE_SERVER)
    return found


def no_row(column: ColumnElement[Any]) -> list[ColumnElement[bool]]:
    """List conditions that no row meets: never both, and no constant.

    Citus refuses a constant beside the logs, where PostgreSQL is older than 17.
    """
    return [column.is_(None), column.is_not(None)]


_NO_PARTS: list[tuple[str, InternalTraversal]] = []


class IsOnOneNode(ColumnElement[bool]):
    """The condition that a row of `moderation_logs` and one of `jobs` are of one client, where that has to be said.

    Whether it has, is known of the database that a statement is written for, so that all of them stay as they are.
    """

    # Without this line no statement that holds it is kept, and each is written anew.
    _traverse_internals = _NO_PARTS
    inherit_cache = True
    type = Boolean()


@compiles(IsOnOneNode)
def _write(element: IsOnOneNode, compiler: SQLCompiler, **_: Any) -> str:
    topology: Topology = getattr(compiler.dialect, "topology", ONE_SERVER)
    return "moderation_logs.client_id = jobs.client_id" if topology.joins_by_client else ""
