"""Times and lengths of time, as people write them on the command line."""

import re
from datetime import datetime, timedelta

from core.errors import InvalidParameter
from core.instants import parse_instant

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_day(name: str, value: str) -> datetime:
    """Parse a date (its midnight in UTC) or an RFC 3339 time."""
    return parse_instant(name, f"{value}T00:00:00Z" if len(value) == len("2026-05-01") else value)


def parse_length(name: str, value: str, *, like: str) -> timedelta:
    """Parse a number of seconds, minutes, hours or days; `like` is what a refusal gives as examples.

    Four digits are more than is allowed, and never too large a number.
    """
    match = re.fullmatch(r"(\d{1,4})([smhd])", value, re.ASCII)
    if match is None:
        raise InvalidParameter(f"{name} is not a time like {like}.")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
