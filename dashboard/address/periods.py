"""Ranges of time as people pick them: days in a time zone, and names for the recent past."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from core.errors import InvalidParameter
from core.instants import day_end, day_start, in_zone, is_repeated, name_offset
from core.jobs.filter import LONGEST_RANGE, DateRange

# What the address says, and what a person reads.
PRESETS = {
    "24h": "Last 24 hours",
    "7d": "Last 7 days",
    "30d": "Last 30 days",
    "month": "This month",
    "last-month": "Last month",
}
DEFAULT = "7d"


def preset_range(name: str, zone: ZoneInfo, now: datetime) -> DateRange:
    """Resolve a name: days are those of the zone, today is one of the last 7, and an end is the end of its day.

    The last 24 hours end with the current minute, so that the figures of one look agree with each other.
    """
    today = now.astimezone(zone).date()
    match name:
        case "24h":
            end = now.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
            return DateRange(end - timedelta(hours=24), end)
        case "7d":
            return days_range(today - timedelta(days=6), today, zone)
        case "30d":
            return days_range(today - timedelta(days=29), today, zone)
        case "month":
            return days_range(today.replace(day=1), today, zone)
        case "last-month":
            last = today.replace(day=1) - timedelta(days=1)
            return days_range(last.replace(day=1), last, zone)
        case _:
            raise InvalidParameter(f"range does not know this period: use {', '.join(PRESETS)}.")


def days_range(first: date | None, last: date | None, zone: ZoneInfo) -> DateRange:
    """Return the range from the start of the first day to the end of the last one, in the zone.

    Raises `InvalidParameter` with a sentence for somebody who has picked days.
    """
    if first is None or last is None:
        missing = "first" if first is None else "last"
        raise InvalidParameter(f"Pick the {missing} day too.")
    if first > last:
        raise InvalidParameter("The first day is after the last: swap them.")
    try:
        start, end = (day_start(day, zone) for day in (first, last + timedelta(days=1)))
    except OverflowError:
        raise InvalidParameter("These dates are out of range: choose others.") from None
    if end - start > LONGEST_RANGE:
        if (last - first).days < LONGEST_RANGE.days:
            hours = (end - start - LONGEST_RANGE) / timedelta(hours=1)
            raise InvalidParameter(
                f"The clocks go back during these 366 days, which makes them {hours:g} h longer than what may be "
                "asked for at once: choose a day fewer."
            )
        raise InvalidParameter("That is more than 366 days: choose fewer.")
    return DateRange(start, end)


def shown_days(bounds: DateRange, zone: ZoneInfo) -> tuple[date, date]:
    """Return the first and the last day in the zone that the range touches."""
    first = in_zone(bounds.start, zone).date()
    # A range at the beginning of time may be empty.
    end = bounds.end - timedelta(microseconds=1) if bounds.end > bounds.start else bounds.start
    last = in_zone(end, zone).date()
    return first, last


def shown_times(bounds: DateRange, zone: ZoneInfo) -> tuple[time | None, time | None]:
    """Return the times of day, to the minute, at which the range begins and ends; None at the bounds of days."""
    start, end = (
        in_zone(bound, zone).time().replace(second=0, microsecond=0) if _is_within_day(bound, zone) else None
        for bound in (bounds.start, bounds.end)
    )
    return start, end


def instants_range(
    days: tuple[date | None, date | None], times: tuple[time | None, time | None], zone: ZoneInfo
) -> DateRange:
    """Return the range from a time of the first day to a time of the last one, in the zone; None: all of that day.

    Raises `InvalidParameter` with a sentence for somebody who has picked them.
    """
    whole = days_range(*days, zone)
    start, end = whole.start, whole.end
    if times[0] is not None and days[0] is not None:
        start = datetime.combine(days[0], times[0], zone).astimezone(UTC)
    if times[1] is not None and days[1] is not None:
        end = datetime.combine(days[1], times[1], zone).astimezone(UTC)
    if start > end:
        raise InvalidParameter("The first time is after the last: swap them.")
    return DateRange(start, end)


def _is_within_day(instant: datetime, zone: ZoneInfo) -> bool:
    day = in_zone(instant, zone).date()
    return instant not in (day_start(day, zone), day_end(day, zone))


def name_days(bounds: DateRange, zone: ZoneInfo) -> str:
    """Name the days that a range touches, in a few words."""
    first, last = (f"{day.day} {day:%b} {day.year}" for day in shown_days(bounds, zone))
    return first if first == last else f"{first} – {last}"


def describe(bounds: DateRange, zone: ZoneInfo) -> str:
    """Say a range in words, in the zone and in UTC."""
    local = f"From {_words(bounds.start, zone)} up to, not including, {_words(bounds.end, zone)} ({zone.key})."
    if zone.key == "UTC":
        return local
    utc = ZoneInfo("UTC")
    return f"{local} In UTC: {_words(bounds.start, utc)} up to, not including, {_words(bounds.end, utc)}."


def _words(instant: datetime, zone: ZoneInfo) -> str:
    local = in_zone(instant, zone)
    seconds = f":{local:%S}" if local.second or local.microsecond else ""
    offset = f" {name_offset(local)}" if is_repeated(local) else ""
    return f"{local:%a} {local.day} {local:%b} {local.year}, {local:%H:%M}{seconds}{offset}"


EARLIEST, LATEST = date(1970, 1, 2), date(2999, 12, 30)
