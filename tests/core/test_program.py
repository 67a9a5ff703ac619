"""What the program says of itself."""

import re
from datetime import date

from core.program import VERSION
from tests.conftest import ROOT


def test_the_version_is_that_of_the_changelog() -> None:
    """Releases stand from the newest to the oldest, with dates; the code is the newest, or on its way to the next."""
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    releases = [heading.split(" - ") for heading in headings if heading != "Unreleased"]

    numbers = [tuple(map(int, number.split("."))) for number, _ in releases]
    days = [date.fromisoformat(day) for _, day in releases]
    current = tuple(map(int, VERSION.removesuffix(".dev0").split(".")))
    assert numbers == sorted(set(numbers), reverse=True)
    assert days == sorted(days, reverse=True)
    assert (current > numbers[0]) if VERSION.endswith(".dev0") else (current == numbers[0])
    assert ("Unreleased" in headings) == VERSION.endswith(".dev0")
