"""RESULTS.md: each benchmark writes its own sections and leaves those of others."""

import re
from collections.abc import Sequence
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")


def write_section(heading: str, lines: Sequence[str]) -> None:
    """Write a section, in place of the one of the same heading, or at the end."""
    section = "\n".join([f"## {heading}", "", *lines]).rstrip() + "\n"
    kept = [part for part in _sections() if not part.startswith(f"## {heading}\n")]
    RESULTS.write_text("\n".join([*(part.rstrip() + "\n" for part in kept), section]))


def find_section(beginning: str) -> str:
    """Return the sections whose headings begin like this."""
    return "".join(f"\n{part.rstrip()}\n" for part in _sections() if part.startswith(f"## {beginning}"))


def _sections() -> list[str]:
    return re.split(r"(?m)^(?=## )", RESULTS.read_text())
