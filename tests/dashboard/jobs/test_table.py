"""Which columns the list of jobs has room for."""

import pytest

from dashboard.jobs.table import WIDTHS, list_columns

SHORT = ["time", "decision", "ai_adult_general", "underage", "nsfw"]


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (358, ["time", "decision"]),
        (508, SHORT),
        (682, [*SHORT, "reason"]),
        (1240, [*SHORT, "reason", "prompt", "type", "client"]),
        (1760, list(WIDTHS)),
    ],
)
def test_columns_are_whole_or_not_there(width: int, shown: list[str]) -> None:
    """A telephone, the list beside a job in a window of 1,024 and of 1,400, and the list alone at 1,400 and 1,920.

    What tells most stays longest, and the categories go together.
    """
    columns = [*SHORT, "reason", "prompt", "type", "status", "client", "id"]

    found = list_columns(columns, width)

    assert found == [name for name in WIDTHS if name in shown]
    assert sum(WIDTHS[name] for name in found) <= width
