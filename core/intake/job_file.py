"""What is imported: a file, whose jobs they are, and how it is to be read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

# What stands before the columns of records that were set aside. An import leaves these out, so that a file of such
# records can be imported once they are right.
ASIDE = ("file", "record", "wrong")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFile:
    """A file, plain or gzip, with jobs of a client; `name` is what messages call it.

    `spreadsheet_safe`: whether cells have guards that are taken off; None where the file itself must show it.
    `delimiter`: None where it is found. `has_categories`: false where their columns may be missing. `skipped` gets the
    records that are wrong, with their reasons; without it the first of them ends the import. `advance` hears how many
    more bytes of the file were read.
    """

    file: BinaryIO
    name: str
    client_id: str
    spreadsheet_safe: bool | None = None
    delimiter: str | None = None
    has_categories: bool = True
    skipped: BinaryIO | None = None
    advance: Callable[[int], None] = lambda _: None
