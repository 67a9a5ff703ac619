"""What all imports together have brought: read by monitors, from whichever process answers them."""

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


def add_to_totals(
    connection: Connection, origin: str, *, inserted: int, updated: int, unchanged: int, set_aside: int, seconds: float
) -> None:
    """Count an import that is about to be committed, by its records and the seconds it took; `origin`: file or sync."""
    added = {
        "imports": 1,
        "inserted": inserted,
        "updated": updated,
        "unchanged": unchanged,
        "set_aside": set_aside,
        "seconds": seconds,
    }
    columns = import_totals.c
    connection.execute(
        update(import_totals)
        .where(columns.origin == origin)
        .values({columns[name]: columns[name] + value for name, value in added.items()})
    )
