"""What all imports together have brought: read by monitors, from whichever process answers them."""

from collections.abc import Mapping

from sqlalchemy import BigInteger, Column, Connection, Double, Table, Text, update

from core.db.schema import ours

# A row for files and one for syncs, which the migration has made.
import_totals = Table(
    "import_totals",
    ours,
    Column("origin", Text, primary_key=True),
    Column("imports", BigInteger, nullable=False, server_default="0"),
    Column("inserted", BigInteger, nullable=False, server_default="0"),
    Column("updated", BigInteger, nullable=False, server_default="0"),
    Column("unchanged", BigInteger, nullable=False, server_default="0"),
    Column("set_aside", BigInteger, nullable=False, server_default="0"),
    Column("seconds", Double, nullable=False, server_default="0"),
)


def add_to_totals(connection: Connection, origin: str, *, outcomes: Mapping[str, int], seconds: float) -> None:
    """Count an import that is about to be committed: its records by outcome, which are columns, and what it took.

    `origin` is file or sync.
    """
    added = {"imports": 1, "seconds": seconds, **outcomes}
    columns = import_totals.c
    connection.execute(
        update(import_totals)
        .where(columns.origin == origin)
        .values({columns[name]: columns[name] + value for name, value in added.items()})
    )
