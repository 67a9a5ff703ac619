"""Instants as text and back: strict RFC 3339 in, UTC of fixed width out, and where a day begins."""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from core.errors import InvalidParameter


def print_time(instant: datetime, zone: tzinfo = UTC) -> str:
    """Print an instant in a zone as people write it, with seconds only where there are some."""
    local = instant.astimezone(zone)
    time = f"{local:%H:%M}"
    if local.second or local.microsecond:
        time += f":{local:%S}" + (f".{local.microsecond:06}" if local.microsecond else "")
    return f"{local.day} {local:%b} {local.year} {time}"


# RFC 3339, section 5.6, narrowed by the contract: seconds are required, at most six digits of a fraction, ASCII only.
_RFC_3339 = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,6}))?(?:([Zz])|([+-])(\d{2}):(\d{2}))",
    re.ASCII,
)


def parse_instant(name: str, value: str) -> datetime:
    """Parse an RFC 3339 date-time strictly and return it in UTC.

    Raises `InvalidParameter`, which names the parameter and, where a `+` was lost in a URL, says `%2B`.
    """
    match = _RFC_3339.fullmatch(value)
    if match is None:
        if _RFC_3339.fullmatch(value.replace(" ", "+")) and " " in value:
            raise InvalidParameter(f"{name} lost its + on the way: write + as %2B in a URL.")
        raise InvalidParameter(f"{name} is not a time like 2026-04-01T00:00:00Z (RFC 3339, with Z or an offset).")
    *numbers, fraction, _, sign, hours, minutes = match.groups()
    try:
        zone: timezone = UTC
        if sign:
            if int(minutes) > 59 or int(hours) > 23:
                raise ValueError
            offset = timedelta(hours=int(hours), minutes=int(minutes))
            zone = timezone(offset if sign == "+" else -offset)
        year, month, day, hour, minute, second = (int(number) for number in numbers)
        local = datetime(year, month, day, hour, minute, second, int((fraction or "").ljust(6, "0")), zone)
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidParameter(f"{name} names a time that does not exist: correct it.") from None


def print_instant(instant: datetime) -> str:
    """Print an instant as RFC 3339 in UTC, with a fraction only where there is one."""
    return instant.astimezone(UTC).isoformat(timespec="auto").replace("+00:00", "Z")


def print_exact(instant: datetime) -> str:
    """Print an instant as exports and receipts do: UTC, fixed width, microseconds."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def in_zone(instant: datetime, zone: ZoneInfo) -> datetime:
    """Return an instant in a zone; at the ends of time, where its clocks would be beyond, the first or last time."""
    try:
        return instant.astimezone(zone)
    except OverflowError:
        end = datetime.min if instant.year == 1 else datetime.max
        return end.replace(tzinfo=zone)


def day_start(day: date, zone: ZoneInfo) -> datetime:
    """Return the instant in UTC at which a day begins in the zone, also where clocks change at midnight.

    Of a day that begins before time does, the beginning of time.
    """
    try:
        return datetime.combine(day, time(), zone).astimezone(UTC)
    except OverflowError:
        return (datetime.min if day.year == 1 else datetime.max).replace(tzinfo=UTC)


def day_end(day: date, zone: ZoneInfo) -> datetime:
    """Return the instant in UTC at which a day ends in the zone; of the last day of all, the end of time."""
    return datetime.max.replace(tzinfo=UTC) if day == date.max else day_start(day + timedelta(days=1), zone)


def print_local(instant: datetime, zone: ZoneInfo) -> str:
    """Print an instant as the clocks of a zone show it, to the second.

    With the offset in an hour that they show twice, and only there.
    """
    local = in_zone(instant, zone)
    shown = local.replace(tzinfo=None).isoformat(sep=" ", timespec="seconds")
    return f"{shown} {name_offset(local)}" if is_repeated(local) else shown


def is_repeated(local: datetime) -> bool:
    """Tell whether the clocks of a time's zone show it twice, because they are set back."""
    return local.replace(fold=1 - local.fold).utcoffset() != local.utcoffset()


def name_offset(local: datetime) -> str:
    """Name how far a time's zone is from UTC, as +02:00."""
    return local.isoformat()[-6:]
