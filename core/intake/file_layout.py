"""What the first line of a file says of the others: delimiter, line ends, and which column is which."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from core.csv.format import BOM
from core.csv.records import parse_record
from core.errors import NotPossible
from core.export.job_columns import COLUMNS
from core.intake.job_cells import FORMS, IGNORED, CellForm
from core.jobs.filter import Category

# The header is one line of column names; a file whose first line is longer is none of ours.
LONGEST_HEADER = 10_000

# A row of PostgreSQL's takes about 450 cells of text, whatever is in them.
MOST_COLUMNS = 400

DELIMITERS = (",", ";", "\t")

CATEGORY_COLUMNS = frozenset(category.column for category in Category)

# How Excel is told the delimiter, in a line before the header.
_SEPARATOR_LINE = re.compile(rb"sep=(.)\r?\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FileLayout:
    """The form of a file: its columns in their order (those that are left out are `IGNORED`) and the rest of a line.

    `header_lines` stand before the records. `ignored` are the names of what is left out.
    """

    delimiter: str
    line_end: bytes
    header_lines: int
    columns: tuple[CellForm, ...]
    ignored: tuple[str, ...]

    @property
    def is_own(self) -> bool:
        """Whether it is the export's own: a record of it can stand below the export's header as it is."""
        return self.delimiter == "," and tuple(column.name for column in self.columns) == COLUMNS

    def own_records(self) -> re.Pattern[bytes]:
        """Match one or more records in the export's own form."""
        delimiter = re.escape(self.delimiter.encode())
        cells = delimiter.join(column.own.replace(b"%b", delimiter) for column in self.columns)
        # A text that is NULL in PostgreSQL's own text format would pass for a text.
        no_nulls = rb"(?!(?:[^\n]*\t)?\\N[\t\r\n])" if self.delimiter == "\t" else b""
        return re.compile(rb"(?:%b%b%b)++" % (no_nulls, cells, re.escape(self.line_end)))


def read_layout(
    blocks: Iterator[bytes], name: str, *, delimiter: str | None, has_categories: bool
) -> tuple[FileLayout, Iterator[bytes]]:
    """Read the header; return what it says, and the blocks of what follows it.

    Without a delimiter it is found. Where the file is not expected to have them, categories may be missing. Raises
    `NotPossible` where this is no file of jobs, in a sentence that says why.
    """
    head = b""
    for block in blocks:
        head += block
        if b"\n" in head or len(head) > LONGEST_HEADER:
            break
    # Some tools put one before the one that is there.
    while head.startswith(BOM):
        head = head.removeprefix(BOM)
    header_lines = 1
    if not head:
        raise NotPossible(f"{name} is empty: an export has at least a header.")
    if found := _SEPARATOR_LINE.match(head):
        head, header_lines = head[found.end() :], 2
        delimiter = delimiter or found[1].decode("latin-1")
    line, has_end, rest = head.partition(b"\n")
    delimiter = delimiter or _find_delimiter(line)
    names = _parse_names(line, delimiter)
    wrong = _explain(head, line, names if has_end else [], has_categories=has_categories)
    if wrong is not None:
        raise NotPossible(f"{name} is no export of jobs: {wrong}. It needs the columns {', '.join(COLUMNS)}.")
    columns = tuple(FORMS.get(column.lower(), IGNORED) for column in names)
    ignored = dict.fromkeys(column or "(no name)" for column in names if column.lower() not in FORMS)
    line_end = b"\r\n" if line.endswith(b"\r") else b"\n"
    return FileLayout(delimiter, line_end, header_lines, columns, tuple(ignored)), chain([rest], blocks)


def _find_delimiter(line: bytes) -> str:
    """Find the delimiter by which the header has the most columns of an export."""
    found = {delimiter: set(map(str.lower, _parse_names(line, delimiter))) for delimiter in DELIMITERS}
    return max(DELIMITERS, key=lambda delimiter: len(found[delimiter] & set(COLUMNS)))


def _parse_names(line: bytes, delimiter: str) -> list[str]:
    cells, _ = parse_record(line[:LONGEST_HEADER].removesuffix(b"\r"), delimiter.encode())
    return [(cell or "").strip() for cell in cells]


def _explain(head: bytes, line: bytes, names: Sequence[str], *, has_categories: bool) -> str | None:
    """Say why the beginning of a file is not the header of a file of jobs; None where it is."""
    lower = [name.lower() for name in names]
    twice = [column for column in FORMS if lower.count(column) > 1]
    missing = [column for column in COLUMNS if column not in lower]
    if not has_categories:
        missing = [column for column in missing if column not in CATEGORY_COLUMNS]
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "it is UTF-16, where it should be UTF-8: save it so"
    if head.startswith(b"PK\x03\x04"):
        return "it is a spreadsheet or an archive: save it as CSV, or unpack it"
    if b"\r" in line.removesuffix(b"\r"):
        return "its lines end in CR, where they should end in LF or CRLF: save it so"
    if b"\n" not in head and any(name.startswith(_parse_names(line, ",")[0].lower()) for name in COLUMNS):
        return "it ends within its first line: get it again"
    if twice:
        return f"it has {', '.join(twice)} more than once"
    if len(names) > MOST_COLUMNS:
        return f"it has more than {MOST_COLUMNS} columns"
    if missing and set(missing) <= CATEGORY_COLUMNS:
        return f"it lacks {', '.join(missing)}: give --without-categories to import it all the same"
    if missing:
        return f"it lacks {', '.join(missing)}" if len(missing) < len(COLUMNS) else "its first line is no header"
    return None
