"""The list of keys."""

from dashboard.keyboard.help import CONTROLS, KEYS
from tests.conftest import ROOT


def test_every_key_is_listed() -> None:
    """Whatever key does something stands in the list that ? shows, and in the tour."""
    listed = " ".join(key for keys in KEYS.values() for key in keys).lower().replace(",", "").split()
    tour = ROOT.joinpath("docs/tour.md").read_text()
    rows = [line.split("|")[1] for line in tour.splitlines() if line.startswith("|")]
    told = " ".join(rows).lower().replace(",", "").split()

    keys = {"esc" if key == "escape" else key for key in CONTROLS}

    assert (keys - set(listed), keys - set(told)) == (set(), set())
