"""Guards before cells (`spreadsheet_safe`): does a file have them, and how they come off."""

from sqlalchemy import Connection, text

from core.csv.format import GUARD, GUARDED
from core.db.database import Database
from core.errors import NotPossible
from core.export.receipts import find_complete_receipt

# The columns whose cells an export guards, but for `status`, which has four words.
TEXTS = ("type", "prompt", "reason")

_FIRST = 'left({0}, 1) COLLATE "C" = ANY (CAST(:guarded AS text[]))'
_GUARDED = f"left({{0}}, 1) = :guard AND {_FIRST.format('substr({0}, 2, 1)')}"

GUARDS = {"guard": GUARD, "guarded": list(GUARDED)}


def take_guard_off(column: str) -> str:
    """Write in SQL, with the parameters `GUARDS`, a text without its guard."""
    return f"CASE WHEN {_GUARDED.format(column)} THEN substr({column}, 2) ELSE {column} END"


def check_guards(connection: Connection, database: Database, name: str, sha256: str) -> bool:
    """Tell whether the staged file has guards, where nobody has said so.

    Its receipt knows, where it is an export of this database. Else a file in which each cell that would get a guard has
    one was probably written with them: then `NotPossible` asks, because taking them off wrongly changes texts, and so
    does leaving them on.
    """
    receipt = find_complete_receipt(database, sha256)
    if receipt is not None:
        return bool(receipt["filter"].get("spreadsheet_safe") == "true")
    guarded = " + ".join(f"count(*) FILTER (WHERE {_GUARDED.format(column)})" for column in TEXTS)
    begun = " + ".join(f"count(*) FILTER (WHERE {_FIRST.format(column)})" for column in TEXTS)
    found, all_begun = connection.execute(text(f"SELECT {guarded}, {begun} FROM staged_jobs"), GUARDS).one()
    if found and found == all_begun:
        cells = "1 cell begins" if found == 1 else f"{found:,} cells begin"
        raise NotPossible(
            f"{name} was probably written for a spreadsheet: {cells} with a guard ('), and none lacks one. Give "
            "--spreadsheet-safe to take the guards off, or --no-spreadsheet-safe if they are part of the text."
        )
    return False
