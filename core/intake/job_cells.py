"""The cells of a job in a file: what each column may hold, in the export's own form and in the forms of other tools."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import LiteralString

from core.csv.records import QUOTED
from core.intake.file_times import INSTANT, parse_time
from core.intake.wrong_cell import WrongCell, show
from core.jobs.filter import STATUSES, Category

# Bytes. A longer type, or id of a key, does not fit into an index.
LONGEST_INDEXED = 1_000

_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.ASCII)

# As spreadsheets, psql and pandas write them.
_BOOLEANS = {"true": "true", "t": "true", "1": "true", "false": "false", "f": "false", "0": "false"}

# Words of a decision, which people look for in the wrong column.
_DECISIONS = ("rejected", "reject", "passed", "pass", "prohibited", "approved", "allowed", "undecided")


@dataclass(frozen=True, slots=True)
class CellForm:
    """What a column holds: its type in SQL, the export's own form of a cell, and how a cell is read in another form.

    `own` is a regular expression in which `%b` stands for the delimiter. `read` gives a cell the export's own form,
    where None is an empty cell without quotes, and raises `WrongCell`.
    """

    name: str
    sql_type: LiteralString
    own: bytes
    read: Callable[[str | None], str | None]

    @property
    def is_boolean(self) -> bool:
        return self.sql_type == "boolean"


def _required(parse: Callable[[str], str]) -> Callable[[str | None], str | None]:
    return lambda cell: parse((cell or "").strip())


def _optional(parse: Callable[[str], str]) -> Callable[[str | None], str | None]:
    return lambda cell: parse(bare) if cell and (bare := cell.strip()) else None


def _read_text(cell: str | None) -> str | None:
    return cell


def _read_type(cell: str | None) -> str | None:
    if cell is None:
        raise WrongCell("is empty, where it should be a text")
    return _read_indexed(cell)


def _read_indexed(cell: str | None) -> str | None:
    if cell and len(cell.encode()) > LONGEST_INDEXED:
        raise WrongCell(f"has more than {LONGEST_INDEXED:,} bytes, where it should be a word or two")
    return cell


def _parse_id(cell: str) -> str:
    if _UUID.fullmatch(lower := cell.lower()):
        return lower
    raise WrongCell(f"is {show(cell)}, where it should be a UUID")


def _parse_status(cell: str) -> str:
    if cell in STATUSES:
        return cell
    hint = ""
    if cell.lower() in _DECISIONS:
        hint = ": a decision belongs in is_prohibited, as true (rejected) or false (passed)"
    raise WrongCell(f"is {show(cell)}, where it should be {', '.join(STATUSES)}{hint}")


def _parse_boolean(cell: str) -> str:
    found = _BOOLEANS.get(cell.lower())
    if found is not None:
        return found
    hint = ": true is rejected, false is passed" if cell.lower() in _DECISIONS else ""
    raise WrongCell(f"is {show(cell)}, where it should be true, false or nothing{hint}")


_BOOLEAN = rb"(?:true|false)?+"
_TEXT = rb'(?:%b|[^"\r\n\0%%b]*+)' % QUOTED.replace(b"[^", b"[^\\0")

FORMS = {
    form.name: form
    for form in (
        CellForm(
            "job_id", "uuid", rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", _required(_parse_id)
        ),
        CellForm("type", "text", rb'[^"\r\n\0%b]{1,100}+', _read_type),
        CellForm("status", "text", rb"(?:%b)" % "|".join(STATUSES).encode(), _required(_parse_status)),
        CellForm("is_prohibited", "boolean", _BOOLEAN, _optional(_parse_boolean)),
        CellForm("created_at", "timestamptz", INSTANT, _required(parse_time)),
        CellForm("completed_at", "timestamptz", rb"(?:%b)?+" % INSTANT, _optional(parse_time)),
        CellForm("prompt", "text", _TEXT, _read_text),
        CellForm("reason", "text", _TEXT, _read_text),
        *(CellForm(category.column, "boolean", _BOOLEAN, _optional(_parse_boolean)) for category in Category),
        # Newer exports of the same API have these two beside the eleven.
        CellForm("api_key_id", "text", rb'[^"\r\n\0%b]{0,100}+', _read_indexed),
        CellForm("api_key_name", "text", _TEXT, _read_text),
    )
}

# What is left out of a file, whatever it holds.
IGNORED = CellForm("", "text", _TEXT, _read_text)
