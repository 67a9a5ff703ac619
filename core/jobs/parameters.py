"""Parameters of a request: each has a name, a meaning, and a kind that parses its value and says what is wrong with it.

One description of each, which the parser, the API's own description and the options of a command are made from.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from core.characters import make_printable
from core.errors import InvalidParameter
from core.instants import parse_instant

_UUID_FORM = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"

Value = TypeVar("Value", covariant=True)
Word = TypeVar("Word", bound=str)


class Kind(Protocol[Value]):
    """What values a parameter takes."""

    def parse(self, name: str, value: str) -> Value:
        """Parse a value that is not empty. Raises `InvalidParameter`, which names the parameter."""


@dataclass(frozen=True, slots=True)
class Instant:
    """A time of RFC 3339."""

    example: str

    def parse(self, name: str, value: str) -> datetime:
        return parse_instant(name, value)


@dataclass(frozen=True, slots=True)
class Text:
    """Any text, of at most so many characters."""

    longest: int | None = None

    def parse(self, name: str, value: str) -> str:
        if self.longest is not None and len(value) > self.longest:
            raise InvalidParameter(f"{name} is longer than {self.longest} characters: shorten it.")
        return value


@dataclass(frozen=True, slots=True)
class Boolean:
    """`true` or `false`."""

    def parse(self, name: str, value: str) -> bool:
        return Choice(("true", "false")).parse(name, value) == "true"


@dataclass(frozen=True, slots=True)
class Choice(Generic[Word]):
    """One of the words that are known."""

    known: tuple[Word, ...]

    def parse(self, name: str, value: str) -> Word:
        for word in self.known:
            if word == value:
                return word
        raise InvalidParameter(f"{name} does not know {quote(value)}: it takes {' or '.join(self.known)}.")


@dataclass(frozen=True, slots=True)
class Choices(Generic[Word]):
    """A list of known words, which are returned once each and in the order in which they are known.

    `alone` is one that no other may stand beside.
    """

    known: tuple[Word, ...]
    alone: str | None = None

    def parse(self, name: str, value: str) -> tuple[Word, ...]:
        items = _items(name, value)
        for item in items:
            if item not in self.known:
                raise InvalidParameter(f"{name} does not know {quote(item)}: it takes {', '.join(self.known)}.")
        if self.alone in items and len({*items}) > 1:
            raise InvalidParameter(f"{name} takes {self.alone} only alone: leave out {self.alone} or the others.")
        return tuple(word for word in self.known if word in items)


@dataclass(frozen=True, slots=True)
class Names:
    """A list of any names without commas, which are returned once each, sorted."""

    def parse(self, name: str, value: str) -> tuple[str, ...]:
        return tuple(sorted(set(_items(name, value))))


@dataclass(frozen=True, slots=True)
class Prefixes:
    """A list of at most so many beginnings of UUIDs, which are returned once each, in lower case and sorted."""

    most: int

    def parse(self, name: str, value: str) -> tuple[str, ...]:
        items = _items(name, value)
        for item in items:
            if not is_prefix(item):
                raise InvalidParameter(
                    f"{name} does not take {quote(item)}: give the beginning of a UUID like "
                    "0b9f3c1e-5a7d-4e0b-9c55-0d1f2a3b4c5d."
                )
        if len(items) > self.most:
            raise InvalidParameter(f"{name} has more than {self.most} items: ask for the rest separately.")
        return tuple(sorted({item.lower() for item in items}))


# The kinds that take several values.
LISTS = (Choices, Names, Prefixes)


@dataclass(frozen=True, slots=True)
class Parameter(Generic[Value]):
    """A parameter: its name, what it means in a plain sentence, and what it takes."""

    name: str
    meaning: str
    kind: Kind[Value]

    def read(self, given: Mapping[str, str]) -> Value | None:
        """Parse what was given, or return None where nothing was. Raises `InvalidParameter`."""
        value = given.get(self.name)
        return None if value is None else self.kind.parse(self.name, value)


def is_prefix(text: str) -> bool:
    """Tell whether a text is how a UUID begins in its usual form: 1 to 36 characters, in either case."""
    return 0 < len(text) <= len(_UUID_FORM) and all(
        found == "-" if wanted == "-" else found in "0123456789abcdefABCDEF"
        for found, wanted in zip(text, _UUID_FORM, strict=False)
    )


def quote(value: str) -> str:
    """Quote what a caller sent, shortened, so that a message stays one plain line."""
    shown = value if len(value) <= 40 else value[:39] + "…"
    return f'"{make_printable(shown)}"'


def _items(name: str, value: str) -> list[str]:
    items = value.split(",")
    if "" in items:
        raise InvalidParameter(f"{name} has an empty item: remove the superfluous comma.")
    return items
