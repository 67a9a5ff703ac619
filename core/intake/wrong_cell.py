"""A cell that does not hold what its column should."""

# Characters of a cell that a message repeats.
LONGEST_SHOWN = 40


class WrongCell(Exception):
    """What is wrong with a cell, to be said after the name of its column."""


def show(cell: str) -> str:
    """Write the beginning of a cell in quotes, or that it is empty."""
    if not cell:
        return "empty"
    return "'" + cell[:LONGEST_SHOWN].replace("'", "''") + "'"
