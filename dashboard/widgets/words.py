"""The words and figures that pages use for decisions, categories, sizes and times."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from core.instants import in_zone, is_repeated, name_offset

# Sign and word, so that no state is told by colour alone.
DECISIONS = {True: "✕ Rejected", False: "✓ Passed", None: "? Undecided"}


FLAGS = {True: "● Yes", False: "○ No", None: "– Not evaluated"}

# For narrow columns.
SHORT_FLAGS = FLAGS | {None: "–"}

# What somebody is called who has no address.
_ACTORS = {"cli": "command line", "user:demo": "demo user"}


def name_actor(address: str | None, actor: str) -> str:
    """Name who did something by their address, and where they have none by what they are called in the audit."""
    return address or _ACTORS.get(actor, actor)


def name_bytes(number: int, *, exact: bool = False) -> str:
    """Write a size as people read it (1 kB is 1,000 bytes), with the exact number where that is wanted."""
    plain = count_of(number, "byte")
    size = float(number)
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        # What would be rounded up to a thousand is written in the next unit.
        if size < 999.95 or unit == "TB":
            break
        size /= 1000
    human = plain if unit == "bytes" else f"{size:.1f} {unit}"
    return f"{human} ({plain})" if exact and human != plain else human


def name_duration(duration: timedelta) -> str:
    """Write a duration as people read it, in its two greatest units."""
    seconds = max(0.0, duration.total_seconds())
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def name_time(instant: datetime, zone: ZoneInfo) -> str:
    """Write a time in the zone, which is named."""
    local = in_zone(instant, zone)
    offset = f" {name_offset(local)}" if is_repeated(local) else ""
    return f"{local:%a} {local.day} {local:%b} {local.year}, {local:%H:%M:%S}{offset} ({zone.key})"


def count_of(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
