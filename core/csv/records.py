"""Reading CSV strictly (RFC 4180): what two readers could read two ways is a fault of its record, never a guess.

Whole stretches of records that look as a caller wants them pass as they are, found by one regular expression; the
others are taken apart cell by cell. Memory stays flat whatever comes in.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from psycopg import sql

from core.errors import NotPossible

# Bytes. A prompt has megabytes at most; a longer record is a quote that is never closed.
LONGEST_RECORD = 64 * 1024 * 1024

# Bytes that are handed to PostgreSQL at once.
BLOCK = 256 * 1024

# A quoted cell with its quotes, doubled ones within. Nothing here ever takes back what it has matched ("possessive"):
# no text makes it slow.
QUOTED = rb'"[^"]*+(?:""[^"]*+)*+"'


@dataclass(frozen=True, slots=True)
class Stretch:
    """Whole records, as bytes, that look as they were wanted, and how many they are."""

    data: bytes
    records: int


@dataclass(frozen=True, slots=True)
class Blank:
    """Lines without any text, or with delimiters alone."""

    lines: int


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with the form of a record, and in which of its cells (the first is 0), where it is one of them."""

    text: str
    cell: int | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its number, the line of the file that it begins in (both from 1), and its bytes without their end.

    `cells`: None is an empty cell without quotes. Where there is a fault they are what a lenient reader would find.
    """

    number: int
    line: int
    raw: bytes
    cells: tuple[str | None, ...]
    fault: Fault | None
    has_end: bool


class RecordReader:
    """Reads the records of a text that arrives in blocks; `name` is what messages call it.

    A line ends a record unless a quote is open; after a fault a record ends with its line, too. Lines are counted as an
    editor shows them.
    """

    def __init__(self, blocks: Iterable[bytes], name: str, *, delimiter: bytes, first_line: int) -> None:
        self._blocks = iter(blocks)
        self._name = name
        self._delimiter = delimiter
        self._line = first_line
        self._number = 1
        separator = re.escape(delimiter)
        self._blank = re.compile(rb"(?:%b*+\r?\n)++" % separator)
        # As a lenient reader finds it: behind a quoted cell anything up to the next delimiter or the end of the line.
        cell = rb'(?:%b|(?!"))[^%b\n]*+' % (QUOTED, separator)
        self._record = re.compile(rb"%b(?:%b%b)*+\n" % (cell, separator, cell))

    def read(self, wanted: re.Pattern[bytes]) -> Iterator[Stretch | Record | Blank]:
        """Yield everything in order; `wanted` matches one or more records, each with its end, and no NUL.

        Raises `NotPossible` where a quote is never closed.
        """
        buffer, position = b"", 0
        while block := self._gather(len(buffer) - position):
            buffer, position = buffer[position:] + block, 0
            slow_until = 0
            while True:
                if position >= slow_until and (found := wanted.match(buffer, position)):
                    if not _is_utf8(found[0]):
                        slow_until = found.end()
                        continue
                    stretch = found[0]
                    position = found.end()
                    yield self._count_stretch(stretch)
                elif found := self._blank.match(buffer, position):
                    position = found.end()
                    yield self._count_blank(found[0])
                elif found := self._record.match(buffer, position):
                    position = found.end()
                    yield self._make_record(found[0][:-1], has_end=True)
                else:
                    break
        yield from self._read_rest(buffer[position:])

    def _gather(self, left: int) -> bytes:
        """Read at least as much as is left already, so that a long record is not looked at again for each block.

        But no more than shows that it is too long. Nothing is read only at the end: a block may be empty, as what
        follows a header that fills one.
        """
        if left > LONGEST_RECORD:
            raise NotPossible(
                f"{self._name} lacks a quote: the record in line {self._line:,} has more than "
                f"{LONGEST_RECORD // 1024**2} MB."
            )
        enough = max(min(left, LONGEST_RECORD + 1 - left), 1)
        blocks, size = [], 0
        for block in self._blocks:
            blocks.append(block)
            size += len(block)
            if size >= enough:
                break
        return b"".join(blocks)

    def _read_rest(self, rest: bytes) -> Iterator[Record | Blank]:
        """Read what stands behind the last line end."""
        if not rest.strip(self._delimiter + b"\r"):
            if rest:
                yield self._count_blank(rest)
        elif self._record.fullmatch(rest + b"\n") is None:
            raise NotPossible(
                f"{self._name} is cut, or a quote is missing: a cell in the record of line {self._line:,} begins with "
                "a quote that is never closed."
            )
        else:
            yield self._make_record(rest, has_end=False)

    def _count_stretch(self, data: bytes) -> Stretch:
        lines = data.count(b"\n")
        # Those between quotes end no record; a doubled quote leaves an empty piece.
        within = b"".join(data.split(b'"')[1::2]).count(b"\n")
        self._line += lines
        self._number += lines - within
        return Stretch(data, lines - within)

    def _count_blank(self, data: bytes) -> Blank:
        lines = max(1, data.count(b"\n"))
        self._line += lines
        self._number += lines
        return Blank(lines)

    def _make_record(self, line: bytes, *, has_end: bool) -> Record:
        number, first_line = self._number, self._line
        self._number += 1
        self._line += 1 + line.count(b"\n")
        raw = line.removesuffix(b"\r")
        cells, fault = parse_record(raw, self._delimiter)
        return Record(number, first_line, raw, cells, fault, has_end)


def parse_record(raw: bytes, delimiter: bytes) -> tuple[tuple[str | None, ...], Fault | None]:
    """Take a record apart, which has no line end but between quotes; return its cells, and what is wrong with it."""
    fault = None
    if b"\0" in raw or not _is_utf8(raw):
        fault = Fault("it is not UTF-8, or holds the character 0")
    text = raw.decode("utf-8", "replace")
    separator = delimiter.decode()
    if '"' not in text:
        bare = text.split(separator)
        if fault is None and "\r" in text:
            place = next(place for place, cell in enumerate(bare) if "\r" in cell)
            fault = Fault("a carriage return stands in a cell that has no quotes around it", place)
        return tuple(cell or None for cell in bare), fault
    cells: list[str | None] = []
    for place, match in enumerate(_cells(separator).finditer(text)):
        quoted, rest = match[1], match[2]
        if fault is None and quoted is not None and rest:
            fault = Fault("text follows the quote that closes it", place)
        elif fault is None and '"' in rest:
            fault = Fault("a quote stands within it, but none around it", place)
        elif fault is None and "\r" in rest:
            fault = Fault("a carriage return stands in it, but no quotes around it", place)
        cells.append(rest or None if quoted is None else quoted.replace('""', '"') + rest)
    return tuple(cells), fault


def _cells(separator: str) -> re.Pattern[str]:
    """Match one cell after the other; `re` keeps the compiled pattern."""
    escaped = re.escape(separator)
    return re.compile(rf'(?:^|{escaped})(?:"([^"]*+(?:""[^"]*+)*+)"|(?!"))([^{escaped}]*+)')


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def copy_statement(table: str, columns: Sequence[str], delimiter: str = ",") -> sql.Composed:
    """Build the statement that copies records of this form into a table."""
    return sql.SQL(
        "COPY {} ({}) FROM STDIN WITH (FORMAT csv, HEADER false, NULL '', DELIMITER {}, ENCODING 'UTF8')"
    ).format(sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Literal(delimiter))
