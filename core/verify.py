"""Is a file a complete export of ours? Compared by hash with the receipts; if not, what is wrong with it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from core.csv_format import BOM, HEADER
from core.database import Database
from core.errors import NotPossible
from core.receipts import Status, find_complete_receipt, find_receipt

READ_SIZE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a file itself shows. `records` counts closed records without the header."""

    bytes: int
    sha256: str
    has_bom: bool
    has_header: bool
    records: int
    is_closed: bool


def inspect_file(path: Path) -> Inspection:
    """Read a file once, in flat memory. Raises `NotPossible` where it cannot be read."""
    digest = hashlib.sha256()
    size = line_ends = quotes = 0
    start = last = b""
    try:
        with path.open("rb") as file:
            while chunk := file.read(READ_SIZE):
                digest.update(chunk)
                size += len(chunk)
                start += chunk[: max(0, len(BOM + HEADER) - len(start))]
                last = chunk[-1:]
                # A line end closes a record where the number of quotes before it is even (RFC 4180).
                for part_number, part in enumerate(chunk.split(b'"')):
                    quotes += part_number > 0
                    if quotes % 2 == 0:
                        line_ends += part.count(b"\n")
    except OSError as error:
        raise NotPossible(f"{path} cannot be read: {error.strerror}.") from None
    return Inspection(
        bytes=size,
        sha256=digest.hexdigest(),
        has_bom=start.startswith(BOM),
        has_header=start == BOM + HEADER,
        records=max(0, line_ends - 1),
        is_closed=quotes % 2 == 0 and last == b"\n",
    )


def verify_file(database: Database, path: Path, export_id: UUID | None) -> dict[str, Any]:
    """Return the receipt of the complete export whose bytes these are.

    Raises `NotPossible`, which says what is wrong with the file.
    """
    found = inspect_file(path)
    if export_id is None:
        receipt = find_complete_receipt(database, found.sha256)
    else:
        receipt = find_receipt(database, export_id)
        if receipt is None:
            raise NotPossible(f"There is no export {export_id}: check the id, or leave it out to search by hash.")
        if receipt["status"] != Status.COMPLETE.value:
            raise NotPossible(
                f"{path} is not complete: export {export_id} is {receipt['status']}, not complete. {_describe(found)}"
            )
    if receipt is None or receipt["sha256"] != found.sha256:
        raise NotPossible(f"{path} is not a complete export: {_describe(found)} {_compare(found, receipt)}")
    return receipt


def _describe(found: Inspection) -> str:
    """Say in sentences what the file itself shows."""
    records = f"It holds {found.records:,} closed records in {found.bytes:,} bytes."
    if found.bytes == 0:
        return "The file is empty."
    if not found.has_bom:
        return f"It does not begin with the byte order mark of an export. {records}"
    if not found.has_header:
        return f"Its first line is not the header of an export. {records}"
    if not found.is_closed:
        return f"Its last record is not closed: the file was cut. {records}"
    return f"Its form is right. {records}"


def _compare(found: Inspection, receipt: dict[str, Any] | None) -> str:
    if receipt is None:
        return "No complete export has these bytes."
    return (
        f"Export {receipt['export_id']} has {receipt['rows']:,} records in {receipt['bytes']:,} bytes, and other ones."
    )
