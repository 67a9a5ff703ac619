"""Times in files: the export's own form, those of other tools, and what is wrong with a time that can be misread."""

import re
from datetime import UTC, datetime, timedelta, timezone

from core.intake.wrong_cell import WrongCell, show

# In the export's own form, as far as a pattern can tell; 29 February is read the other way.
INSTANT = (
    rb"(?!0000)\d{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    rb"T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6}+)?+Z"
)

_EXAMPLE = "a time like 2026-04-01T00:00:00Z"

# The year comes first, so that day and month cannot be swapped; what follows is ISO 8601 with some freedom.
_TIME = re.compile(
    r"(\d{4})([-/])(\d\d)\2(\d\d)"
    r"(?:(?:[Tt]| +)(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)? ?(?:(Z|UTC|GMT)|([+-])(\d\d)(?::?(\d\d))?)?)?",
    re.ASCII | re.IGNORECASE,
)
_SWAPPED = re.compile(r"\d{1,2}([-/.])\d{1,2}\1\d{2,4}\b.*", re.ASCII | re.DOTALL)
_DAYS = re.compile(r"\d{5}(?:[.,]\d+)?", re.ASCII)

# Hours. PostgreSQL takes no larger offset.
_LARGEST_OFFSET = 15


def parse_time(cell: str) -> str:
    """Return a time of a file in the export's own form; digits beyond the microsecond are cut.

    Rounding them could move a job over the bound of a range. Raises `WrongCell`.
    """
    match = _TIME.fullmatch(cell)
    if match is None:
        raise WrongCell(_explain(cell))
    year, _, month, day, hour, minute, second, fraction, utc, sign, hours, minutes = match.groups()
    if hour is None:
        raise WrongCell(
            f"is {show(cell)}, a date without its time of day: write the time, too, as in {cell[:10]}T00:00:00Z"
        )
    if utc is None and sign is None:
        raise WrongCell(
            f"is {show(cell)}, a time without its time zone: add Z where it is UTC, else an offset such as +02:00"
        )
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    try:
        if int(hours or 0) > _LARGEST_OFFSET or int(minutes or 0) > 59:
            raise ValueError
        zone = timezone(-offset if sign == "-" else offset)
        microsecond = int((fraction or "0")[:6].ljust(6, "0"))
        at = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0), microsecond, zone)
        return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat()}Z"
    except (ValueError, OverflowError):
        raise WrongCell(f"is {show(cell)}, where it should be {_EXAMPLE}") from None


def _explain(cell: str) -> str:
    if _SWAPPED.fullmatch(cell):
        return f"is {show(cell)}, where day, month and time zone can be misread: write it as {_EXAMPLE}"
    if _DAYS.fullmatch(cell):
        return f"is {show(cell)}, a spreadsheet's number of days: let it show the column as text, and write {_EXAMPLE}"
    return f"is {show(cell)}, where it should be {_EXAMPLE}" if cell else f"is empty, where it should be {_EXAMPLE}"
