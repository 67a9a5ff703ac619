"""What the headers of an answer say in numbers and dates."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# Nobody is asked to wait longer than a week, in seconds.
LONGEST_WAIT = 7 * 24 * 3600


def find_number(headers: Mapping[str, str], name: str) -> int | None:
    """Read a whole number of up to 15 digits, or None."""
    value = headers.get(name, "").strip()
    return int(value) if re.fullmatch(r"\d{1,15}", value, re.ASCII) else None


def find_date(headers: Mapping[str, str], name: str) -> datetime | None:
    """Read a date (RFC 9110, section 5.6.7) in UTC, or None."""
    try:
        found = parsedate_to_datetime(headers.get(name, ""))
        # RFC 9110: such dates are in UTC.
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def find_wait(headers: Mapping[str, str]) -> float:
    """Find after how many seconds the server wants to be asked again (RFC 9110, 10.2.3), by its own clock."""
    seconds: float | None = find_number(headers, "retry-after")
    if seconds is None:
        date, now = find_date(headers, "retry-after"), find_date(headers, "date") or datetime.now(UTC)
        seconds = 0 if date is None else (date - now).total_seconds()
    return min(max(0, seconds), LONGEST_WAIT)
