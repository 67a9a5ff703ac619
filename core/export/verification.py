"""Is a file a complete export of ours? Compared by hash with the receipts; if not, what is wrong with it."""

import hashlib
import re
from dataclasses import dataclass
from typing import Any, BinaryIO
from uuid import UUID

from core.csv.format import BOM
from core.db.databases import Databases
from core.errors import NotPossible
from core.export.job_columns import HEADER
from core.export.receipts import Status, find_complete_receipt, find_receipt
from core.export.review_columns import HEADER as REVIEW_HEADER

READ_SIZE = 1024 * 1024

# After the line end before it, which stands in no quotes; a blank line may end as one of Windows does.
_BLANK_LINE = re.compile(rb"\n(?=\r?\n)")


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a file itself shows.

    `has_header` is about the first line after the byte order mark, if there is one; `records` counts closed records
    without the first line and without blank lines; `is_closed` tells whether the last record, or the header, has its
    end.
    """

    bytes: int
    sha256: str
    has_bom: bool
    has_header: bool
    records: int
    blank_lines: int
    is_closed: bool


class Inspector:
    """Looks at the form of a file while its pieces pass, in flat memory."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._size = self._line_ends = self._blank_lines = self._quotes = 0
        self._start = self._last = b""
        # The line end at the end of what was taken, after which a blank line may come.
        self._tail = b""

    def take(self, chunk: bytes) -> None:
        self._digest.update(chunk)
        self._size += len(chunk)
        self._start += chunk[: max(0, len(BOM + max(HEADER, REVIEW_HEADER, key=len)) - len(self._start))]
        self._last = chunk[-1:] or self._last
        # A line end closes a record where the number of quotes before it is even (RFC 4180).
        for part_number, part in enumerate(chunk.split(b'"')):
            if part_number > 0:
                self._quotes += 1
                self._tail = b""
            if self._quotes % 2 == 0:
                self._line_ends += part.count(b"\n")
                text = self._tail + part
                self._blank_lines += len(_BLANK_LINE.findall(text))
                self._tail = next((end for end in (b"\n", b"\n\r") if text.endswith(end)), b"")

    def inspection(self) -> Inspection:
        return Inspection(
            bytes=self._size,
            sha256=self._digest.hexdigest(),
            has_bom=self._start.startswith(BOM),
            has_header=self._start.removeprefix(BOM).startswith((HEADER, REVIEW_HEADER)),
            records=max(0, self._line_ends - 1 - self._blank_lines),
            blank_lines=self._blank_lines,
            is_closed=self._quotes % 2 == 0 and self._last == b"\n",
        )


def inspect_file(file: BinaryIO, name: str) -> Inspection:
    """Read a file once; `name` is what messages call it. Raises `NotPossible` where it cannot be read."""
    inspector = Inspector()
    try:
        while chunk := file.read(READ_SIZE):
            inspector.take(chunk)
    except OSError as error:
        raise NotPossible(f"{name} cannot be read: {error.strerror}.") from None
    return inspector.inspection()


def verify_file(databases: Databases, file: BinaryIO, name: str, export_id: UUID | None) -> dict[str, Any]:
    """Return the receipt of the complete export whose bytes these are; `name` is what messages call the file.

    Raises `NotPossible`, which says what is wrong with the file.
    """
    found = inspect_file(file, name)
    if export_id is None:
        receipt = find_complete_receipt(databases.ours, found.sha256)
    else:
        receipt = find_receipt(databases, export_id)
        if receipt is None:
            raise NotPossible(f"There is no export {export_id}: check the id, or leave it out to search by hash.")
        if receipt["status"] != Status.COMPLETE.value:
            raise NotPossible(
                f"{name} is not complete: export {export_id} is {receipt['status']}, not complete. {describe(found)}"
            )
    if receipt is None or receipt["sha256"] != found.sha256:
        raise NotPossible(f"{name} is not a complete export: {explain(found, receipt)}")
    return receipt


def explain(found: Inspection, receipt: dict[str, Any] | None = None) -> str:
    """Say in sentences why a file is no complete export, or not the one whose receipt it was compared with."""
    if receipt is None:
        return f"{describe(found)} No complete export has these bytes."
    return (
        f"{describe(found)} Export {receipt['export_id']} has {_count(receipt['rows'], 'record')}"
        f" in {_count(receipt['bytes'], 'byte')}, and different bytes."
    )


def describe(found: Inspection) -> str:
    """Say in sentences what the file itself shows: all that is wrong with its form, and how much it holds."""
    if found.bytes == 0:
        return "The file is empty."
    flaws = []
    if not found.has_bom:
        flaws.append("It does not begin with the byte order mark of an export.")
    if not found.has_header:
        flaws.append("Its first line is not the header of an export.")
    if found.blank_lines:
        flaws.append(f"It has {_count(found.blank_lines, 'blank line')}, and no export has any.")
    if not found.is_closed:
        flaws.append("Its last record is not closed: the file was cut.")
    if not flaws:
        flaws.append("Its form is right, so it was cut between two records, or changed.")
    held = f"It holds {_count(found.records, 'closed record')} in {_count(found.bytes, 'byte')}."
    return " ".join([*flaws, held])


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
