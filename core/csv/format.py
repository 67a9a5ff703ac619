"""The CSV of the API page "Export jobs as CSV": columns as text in SQL, encoded by PostgreSQL's COPY.

The only module that knows a comma. Quoting is PostgreSQL's own (`COPY … (FORMAT csv)`): a null is empty and unquoted,
an empty string is `""`, a cell with a comma, a quote, CR or LF is quoted and its quotes are doubled (RFC 4180), and
records end in LF.
"""

from collections.abc import Sequence
from typing import Any, LiteralString

from sqlalchemy import ColumnElement, Dialect, case, collate, func, literal_column
from sqlalchemy.dialects.postgresql import psycopg as psycopg_dialect

from core.db.topology import Topology
from core.facts.code import FIXED_WIDTH

BOM = b"\xef\xbb\xbf"


def make_header(columns: Sequence[str]) -> bytes:
    """Make the first record. Names of columns are plain words, which need no quotes."""
    return ",".join(columns).encode() + b"\n"


# What a spreadsheet may take for a formula when a cell begins with it (OWASP, "CSV Injection"), and the guard itself,
# so that taking one guard away always restores the text.
GUARD = "'"
GUARDED = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", GUARD)

# Every option is spelled out, so that none depends on a default.
_COPY: LiteralString = (
    "COPY ({}) TO STDOUT WITH (FORMAT csv, HEADER false, DELIMITER ',', NULL '', QUOTE '\"', ESCAPE '\"',"
    " ENCODING 'UTF8')"
)

_FIXED_WIDTH: ColumnElement[Any] = literal_column(FIXED_WIDTH)


def make_dialect(topology: Topology) -> Dialect:
    """Make what statements are written for that go to libpq: a database whose rows lie somewhere."""
    dialect: Dialect = psycopg_dialect.dialect()  # type: ignore[no-untyped-call]
    dialect.topology = topology  # type: ignore[attr-defined]
    return dialect


def instant(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Write a time as text: UTC at fixed width. `to_char` obeys no setting of the session, unlike a cast to text."""
    return func.to_char(func.timezone("UTC", column), _FIXED_WIDTH)


def guarded(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Put the guard before a text that a spreadsheet could take for a formula."""
    first = collate(func.left(column, 1), "C")
    return case((first.in_(GUARDED), func.concat(GUARD, column)), else_=column)


def write_record(cells: Sequence[str | None], *, delimiter: str = ",", line_end: bytes = b"\n") -> bytes:
    """Write one record as COPY does; None is a null."""
    special = {delimiter, '"', "\r", "\n"}
    written = (
        "" if cell is None
        else '"' + cell.replace('"', '""') + '"' if not cell or not special.isdisjoint(cell)
        else cell
        for cell in cells
    )  # fmt: skip
    return delimiter.join(written).encode() + line_end
