"""What a check has found: a sentence with its remedy, and the statements that make it good."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """`ok`: as it should be; `advice`: it works, and could be better; `problem`: something does not work."""

    OK = "ok"
    ADVICE = "advice"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding; `statements` are for whoever owns the database, and are never run here."""

    level: Level
    text: str
    statements: tuple[str, ...] = ()


def ok(text: str) -> Finding:
    return Finding(Level.OK, text)


def advice(text: str, *statements: str) -> Finding:
    return Finding(Level.ADVICE, text, statements)


def problem(text: str, *statements: str) -> Finding:
    return Finding(Level.PROBLEM, text, statements)
