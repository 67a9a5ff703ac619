"""Reading CSV of the export's form: whole records, numbered, before PostgreSQL parses their cells.

The other half of `csv_format.py`. PostgreSQL ends at the first record that has too few or too many cells, and counts
lines; whoever has to mend a file wants to hear of records, and may want to go on without the bad ones.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from psycopg import sql

from core.errors import NotPossible

# Bytes. A prompt has megabytes at most; a longer record is a quote that is never closed.
LONGEST_RECORD = 64 * 1024 * 1024

# A row of PostgreSQL's takes about 450 cells of text, whatever is in them.
MOST_COLUMNS = 400

# Bytes that are handed to PostgreSQL at once.
BLOCK = 256 * 1024

_QUOTED = re.compile(rb'"[^"]*"')
_CELL = re.compile(r'(?:^|,)((?:"[^"]*"|[^",])*)')


def split_records(blocks: Iterable[bytes], name: str) -> Iterator[bytes]:
    """Yield the records of a file without their ends, which may be LF or CRLF; `name` is what messages call the file.

    A line ends a record unless a quote is open (RFC 4180, section 2); doubled quotes close and open again. Raises
    `NotPossible` where the last record has no end: the file is cut.
    """
    lines: list[bytes] = []
    is_open = False
    size, rest = 0, b""
    for block in blocks:
        *complete, rest = (rest + block).split(b"\n")
        for line in complete:
            is_open ^= line.count(b'"') % 2 == 1
            if is_open or lines:
                lines.append(line)
                size += len(line) + 1
                if is_open:
                    continue
                line = b"\n".join(lines)
                lines.clear()
                size = 0
            yield line.removesuffix(b"\r")
        if size + len(rest) > LONGEST_RECORD:
            raise NotPossible(f"{name} lacks a quote: a record has more than {LONGEST_RECORD // 1024**2} MB.")
    if is_open:
        raise NotPossible(f"{name} is cut, or a quote is missing: a cell that begins with a quote has no end.")
    if rest:
        raise NotPossible(
            f"{name} is cut: its last record has no end. Get the file again, or end its last line if it is whole."
        )


def number_records(records: Iterable[bytes], cells: int, on_bad: Callable[[int, str, bytes], None]) -> Iterator[bytes]:
    """Yield blocks of records that have so many cells of valid text, each with its number as a further, first cell.

    `on_bad` hears of each other one: its number (the first is 1), what is wrong with it, and its bytes.
    """
    block = bytearray()
    for number, record in enumerate(records, 1):
        bare = _QUOTED.sub(b"", record) if b'"' in record else record
        found = bare.count(b",") + 1
        if found != cells:
            had = "1 cell" if found == 1 else f"{found:,} cells"
            on_bad(number, f"it has {had}, where the header has {cells}", record)
        elif not _is_text(record):
            on_bad(number, "it is not UTF-8, or holds the character 0", record)
        elif b"\r" in bare:
            on_bad(number, "a cell with a carriage return has no quotes", record)
        else:
            block += b"%d,%b\n" % (number, record)
            if len(block) >= BLOCK:
                yield bytes(block)
                block.clear()
    yield bytes(block)


def _is_text(record: bytes) -> bool:
    """Tell whether PostgreSQL can hold it: UTF-8 without the character 0."""
    if b"\0" in record:
        return False
    if record.isascii():
        return True
    try:
        record.decode()
    except UnicodeDecodeError:
        return False
    return True


def parse_header(record: bytes) -> list[str]:
    """Return the names of columns in a file's first record; quotes around a name are left out."""
    cells = _CELL.findall(record.decode("utf-8", "replace"))
    return [re.sub(r'^"(.*)"$', r"\1", cell, flags=re.DOTALL).replace('""', '"').strip() for cell in cells]


def explain_header(head: bytes, columns: Sequence[str], wanted: Sequence[str]) -> str | None:
    """Say why the beginning of a file is not the header of one with the wanted columns; None where it is."""
    first = head.split(b"\n", 1)[0].removesuffix(b"\r")
    twice = [column for column in wanted if columns.count(column) > 1]
    missing = [column for column in wanted if column not in columns]
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "it is UTF-16, where it should be UTF-8: save it so"
    if head.startswith(b"PK\x03\x04"):
        return "it is a spreadsheet or an archive: save it as CSV, or unpack it"
    if b"\r" in first:
        return "its lines end in CR, where they should end in LF or CRLF: save it so"
    if b"\n" not in head and any(name.startswith(parse_header(first)[0]) for name in wanted):
        return "it ends within its first line: get it again"
    for separator, name in ((b";", "semicolons"), (b"\t", "tabs")):
        if set(wanted) <= set(parse_header(first.replace(separator, b","))) and missing:
            return f"{name} part its cells, where commas should: save it so"
    if twice:
        return f"it has {', '.join(twice)} more than once"
    if len(columns) > MOST_COLUMNS:
        return f"it has more than {MOST_COLUMNS} columns"
    if missing:
        return f"it lacks {', '.join(missing)}" if len(missing) < len(wanted) else "its first line is no header"
    return None


def copy_statement(table: str, columns: Sequence[str]) -> sql.Composed:
    """Build the statement that copies records of this form into a table."""
    return sql.SQL("COPY {} ({}) FROM STDIN WITH (FORMAT csv, HEADER false, NULL '', ENCODING 'UTF8')").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
