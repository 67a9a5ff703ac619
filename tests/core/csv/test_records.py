"""Records of a file: found whole however the file is cut into blocks, and read strictly or refused."""

import csv
import io
import re
from collections.abc import Iterator
from itertools import chain, repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.csv.records import QUOTED, Blank, Record, RecordReader, Stretch
from core.errors import NotPossible
from tests.support.memory import measured_memory

NOTHING = re.compile(rb"(?!)")
# Records of two cells of which the first has letters alone.
WANTED = re.compile(rb'(?:[a-z]++,(?:%b|[^,"\r\n\0]*+)\n)++' % QUOTED.replace(b"[^", b"[^\\0"))

# What CSV is about, in any order; and anything at all.
hostile = st.lists(
    st.sampled_from(
        [b'"', b'""', b",", b"\n", b"\r\n", b"\r", b"a", b"b c", "é".encode(), b"\xff", b"\0", b"'", b"\\"]
    ),
    max_size=25,
).map(b"".join) | st.binary(max_size=40)


def blocks(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def read(
    data: bytes, size: int = 7, wanted: re.Pattern[bytes] = NOTHING, delimiter: bytes = b","
) -> list[Record | Stretch | Blank]:
    reader = RecordReader(blocks(data, size), "a.csv", delimiter=delimiter, first_line=2)
    return list(reader.read(wanted))


def read_python(data: bytes, delimiter: str = ",") -> list[list[str]] | None:
    """Read with Python's own reader in its strict mode; None where that refuses."""
    csv.field_size_limit(2**30)
    try:
        rows = csv.reader(io.StringIO(data.decode(), newline=""), delimiter=delimiter, strict=True)
        return [row for row in rows if any(row)]
    except (csv.Error, UnicodeDecodeError):
        return None


@settings(max_examples=500)
@given(data=hostile, size=st.integers(1, 30), delimiter=st.sampled_from(",;\t"))
def test_what_is_read_is_what_python_reads_or_it_is_refused(data: bytes, size: int, delimiter: str) -> None:
    """Over arbitrary bytes, in any blocks: both readers agree on every cell, or ours finds a fault."""
    data = data.replace(b",", delimiter.encode())

    try:
        found = [record for record in read(data, size, delimiter=delimiter.encode()) if isinstance(record, Record)]
    except NotPossible:
        return
    if any(record.fault for record in found):
        return

    ours = [[cell or "" for cell in record.cells] for record in found]
    assert [cells for cells in ours if any(cells)] == read_python(data, delimiter)


@settings(max_examples=500)
@given(data=hostile, size=st.integers(1, 30))
def test_a_stretch_is_what_would_have_been_read_record_by_record(data: bytes, size: int) -> None:
    """What passes as it is holds the same records; it is counted right, and so is what follows it."""

    def spell(found: list[Record | Stretch | Blank]) -> list[object]:
        """Take stretches apart; tell every record's number and line."""
        spelt: list[object] = []
        number, line = 1, 2
        for item in found:
            match item:
                case Stretch(stretch, records):
                    within = read(stretch)
                    assert len(within) == records
                    for record in within:
                        assert isinstance(record, Record)
                        assert record.fault is None
                        spelt.append((record.number + number - 1, record.line + line - 2, record.raw))
                    number, line = number + records, line + stretch.count(b"\n")
                case Record():
                    spelt.append((item.number, item.line, item.raw))
                    number, line = item.number + 1, item.line + item.raw.count(b"\n") + 1
                case Blank(lines):
                    number, line = number + lines, line + lines
        return spelt

    try:
        one_by_one = spell(read(data, size))
    except NotPossible:
        return

    assert spell(read(data, size, WANTED)) == one_by_one


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b'x,a 5" disk', (1, "a quote stands within it, but none around it")),
        (b'"say "hello" now",y', (0, "text follows the quote that closes it")),
        (rb'"say \"hello\" now",y', (0, "text follows the quote that closes it")),
        (b'x, "y"', (1, "a quote stands within it, but none around it")),
        (b"x,a\rb", (1, "a carriage return stands in a cell that has no quotes around it")),
        (b'"x",a\rb', (1, "a carriage return stands in it, but no quotes around it")),
        (b"x,\xff", (None, "it is not UTF-8, or holds the character 0")),
    ],
)
def test_a_record_that_can_be_read_two_ways_is_a_fault_of_its_line(line: bytes, fault: tuple[int, str]) -> None:
    """RFC 4180, rules 5 and 7: the fault names the cell, and the record after it is whole."""
    first, second = read(line + b"\nnext,one\n")

    assert isinstance(first, Record)
    assert isinstance(second, Record)
    assert first.fault is not None
    assert (first.fault.cell, first.fault.text, first.raw) == (*fault, line)
    assert (second.number, second.line, second.cells) == (2, 3, ("next", "one"))


def test_an_empty_block_ends_nothing() -> None:
    """Nothing has ended where a block is empty: what follows is read."""
    reader = RecordReader([b"", b"a,b\n", b"", b"", b"c,d\n", b""], "a.csv", delimiter=b",", first_line=1)

    assert [found.cells for found in reader.read(NOTHING) if isinstance(found, Record)] == [("a", "b"), ("c", "d")]


def test_lines_are_counted_as_an_editor_shows_them() -> None:
    """A record's line is the one that it begins in; blank lines and rows count, and are told."""
    found = read(b'"a\nb",c\n\n,,\n\r\nd,e\nf,g')

    assert [(item.number, item.line, item.cells, item.has_end) for item in found if isinstance(item, Record)] == [
        (1, 2, ("a\nb", "c"), True),
        (5, 7, ("d", "e"), True),
        (6, 8, ("f", "g"), False),
    ]
    assert sum(item.lines for item in found if isinstance(item, Blank)) == 3


@pytest.mark.parametrize(
    ("endless", "longest"),
    # With a lower limit it takes less time to get there.
    [(b"x" * 1_000_001, 64), (b"\n" * 1_000_001, 8), (b'""' * 500_001, 8), (b",\n" * 500_001, 8)],
)
def test_a_quote_that_is_never_closed_does_not_fill_the_memory(
    endless: bytes, longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that grows beyond all measure ends the reading, with a sentence that says what is missing."""
    if longest != 64:
        monkeypatch.setattr("core.csv.records.LONGEST_RECORD", longest * 1024**2)
    reader = RecordReader(chain([b'a,"'], repeat(endless)), "a.csv", delimiter=b",", first_line=2)

    with measured_memory() as grown, pytest.raises(NotPossible) as refused:
        next(reader.read(WANTED))

    assert str(refused.value) == f"a.csv lacks a quote: the record in line 2 has more than {longest} MB."
    assert grown() < 3.5 * longest
