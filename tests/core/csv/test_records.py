"""Records of a file: found whole however the file is cut into blocks, and counted."""

from collections.abc import Iterator
from itertools import repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.csv.records import LONGEST_RECORD, number_records, split_records
from core.errors import NotPossible

cells = st.lists(st.text(st.sampled_from('a,"\né '), max_size=6), min_size=1, max_size=3)


def encode(record: list[str]) -> bytes:
    return ",".join('"' + cell.replace('"', '""') + '"' for cell in record).encode()


def blocks(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@given(records=st.lists(cells, max_size=5), size=st.integers(1, 40), end=st.sampled_from([b"\n", b"\r\n"]))
def test_records_are_found_whole_however_a_file_arrives(records: list[list[str]], size: int, end: bytes) -> None:
    """Commas, quotes and line feeds within quotes belong to their cell; each record has the number of its cells."""
    encoded = [encode(record) for record in records]
    wrong: list[tuple[int, str, bytes]] = []

    found = list(split_records(blocks(b"".join(record + end for record in encoded), size), "a.csv"))
    good = b"".join(number_records(found, 2, lambda *bad: wrong.append(bad)))

    assert found == encoded
    numbered = list(enumerate(records, 1))
    assert good == b"".join(b"%d,%b\n" % (number, encode(record)) for number, record in numbered if len(record) == 2)
    assert [(number, record) for number, _, record in wrong] == [
        (number, encode(record)) for number, record in numbered if len(record) != 2
    ]


def test_a_quote_that_is_never_closed_does_not_fill_the_memory() -> None:
    """A record that grows beyond all measure ends the reading, with a sentence that says what is missing."""
    endless = repeat(b'"' + b"x" * 1_000_001)

    with pytest.raises(NotPossible, match=r"a\.csv lacks a quote: a record has more than 64 MB"):
        next(split_records(endless, "a.csv"))

    assert LONGEST_RECORD == 64 * 1024 * 1024
