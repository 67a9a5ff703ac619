"""Which columns the list of jobs has room for."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from core.instants import print_local
from dashboard.jobs.table import MARK_WIDTH, ROOMY_REASON, WIDTHS, fit_widths, list_columns

SHORT = ["time", "decision", "ai_adult_general", "underage", "nsfw"]


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (358, ["time", "decision"]),
        (506, SHORT),
        (607, [*SHORT, "reason"]),
        (673, [*SHORT, "reason"]),
        (1240, [*SHORT, "reason", "prompt", "type", "client"]),
        (1760, list(WIDTHS)),
    ],
)
def test_columns_are_whole_or_not_there(width: int, shown: list[str]) -> None:
    """A telephone, the list beside a job in windows of 1,024, 1,280 and 1,400, and the list alone at 1,400 and 1,920.

    What tells most stays longest, and the categories go together.
    """
    columns = [*SHORT, "reason", "prompt", "type", "status", "client", "id"]

    found = list_columns(columns, width)

    assert found == [name for name in WIDTHS if name in shown]
    assert sum(WIDTHS[name] for name in found) <= width


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (358, ["time", "reason"]),
        (607, ["time", *SHORT[2:], "reason"]),
        (673, [*SHORT, "reason"]),
        (1120, [*SHORT, "reason", "prompt", "type"]),
    ],
)
def test_a_decision_that_the_filter_says_gives_way_to_the_reason(width: int, shown: list[str]) -> None:
    """A telephone shows why, not the same word in each row; and beside a job there is room for a reason."""
    columns = [*SHORT, "reason", "prompt", "type", "status", "client", "id"]

    found = list_columns(columns, width, is_of_one_decision=True)

    assert found == [name for name in WIDTHS if name in shown]
    assert fit_widths(found, width)["reason"] >= ROOMY_REASON


@pytest.mark.parametrize("width", [358, 508, 616, 682, 1240, 1760])
@pytest.mark.parametrize("widen", [0, 52])
def test_columns_end_where_the_list_does(width: int, widen: int) -> None:
    """No column stands beyond the edge, where a text from right to left would begin unseen."""
    shown = list_columns(list(WIDTHS), width - widen)

    widths = fit_widths(shown, width, widen=widen)

    assert list(widths) == shown
    assert all(widths[name] >= WIDTHS[name] for name in shown if name != "prompt")
    # Of what both texts need, the reason takes as much as most reasons have.
    assert "prompt" not in shown or (widths["reason"] >= 170 and widths["prompt"] >= 260)
    left = width - MARK_WIDTH - sum(widths.values())
    assert left >= 0
    assert left < 2 or "reason" not in shown


@pytest.mark.parametrize(
    ("instant", "zone", "shown"),
    [
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "Europe/Berlin", "2026-10-25 02:30:00 +02:00"),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "Europe/Berlin", "2026-10-25 02:30:00 +01:00"),
        (datetime(2026, 10, 25, 2, 0, tzinfo=UTC), "Europe/Berlin", "2026-10-25 03:00:00"),
        (datetime(2026, 3, 29, 1, 30, tzinfo=UTC), "Europe/Berlin", "2026-03-29 03:30:00"),
        (datetime(1, 1, 1, tzinfo=UTC), "America/New_York", "0001-01-01 00:00:00"),
        (datetime.max.replace(tzinfo=UTC), "Pacific/Kiritimati", "9999-12-31 23:59:59"),
    ],
)
def test_times_say_their_offset_in_the_hour_that_comes_twice(instant: datetime, zone: str, shown: str) -> None:
    """There and nowhere else; before the first and after the last time there is no other one to show."""
    assert print_local(instant, ZoneInfo(zone)) == shown
