"""What is asked for: a range of time and the filters of the export, parsed, checked and printed back."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from core.errors import InvalidParameter
from core.instants import parse_instant, print_instant

# The API page "Export jobs as CSV": "The maximum window is 366 days".
LONGEST_RANGE = timedelta(days=366)
LONGEST_SEARCH = 500

STATUSES = ("queued", "processing", "completed", "failed")

_UUID_FORM = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"


class Decision(StrEnum):
    """What moderation decided: `is_prohibited` true, false or null."""

    REJECT = "reject"
    PASS = "pass"  # noqa: S105 - a decision, no password
    UNDECIDED = "undecided"


class Category(StrEnum):
    """A category flag of a moderation log; its column is `category_<value>`."""

    AI_ADULT_GENERAL = "ai_adult_general"
    UNDERAGE = "underage"
    NSFW = "nsfw"

    @property
    def column(self) -> str:
        return f"category_{self.value}"


class Cell(StrEnum):
    """What a category's cell shows: true, false, or empty where it was not evaluated."""

    TRUE = "true"
    FALSE = "false"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class DateRange:
    """A half-open range of `created_at` in UTC: `start` inclusive, `end` exclusive, at most 366 × 24 hours."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start > self.end:
            raise InvalidParameter("from is after to: exchange them; from is inclusive and to is exclusive.")
        if self.end - self.start > LONGEST_RANGE:
            raise InvalidParameter("from and to are more than 366 days apart: choose a shorter range.")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs are meant, and in what form: every parameter of the export, typed. All combine with AND.

    `job_id` is the lower-case prefix of a UUID as text. `no_category` is the value `none` of the parameter
    `category`: a moderation log exists and none of its flags is true.
    """

    range: DateRange
    type: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    decision: tuple[Decision, ...] = ()
    category: tuple[Category, ...] = ()
    no_category: bool = False
    cells: Mapping[Category, Cell] = field(default_factory=dict)
    evaluated: bool | None = None
    q: str | None = None
    job_id: str | None = None
    client_id: str | None = None
    spreadsheet_safe: bool = False

    @classmethod
    def from_params(cls, params: Iterable[tuple[str, str]]) -> "JobFilter":
        """Parse the parameters of a request, in any order.

        Raises `InvalidParameter` for a parameter that is unknown, repeated, empty, missing or wrong, and for bounds
        that are reversed or too far apart.
        """
        given: dict[str, str] = {}
        for name, value in params:
            if name not in PARAMETERS:
                raise InvalidParameter(
                    f"{_quote(name)} is not a parameter of this export: remove it. Known are {', '.join(PARAMETERS)}."
                )
            if name in given:
                raise InvalidParameter(f"{name} is given more than once: give it once, with commas between values.")
            if value == "":
                raise InvalidParameter(f"{name} is empty: give it a value or leave it out.")
            if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
                raise InvalidParameter(f"{name} contains a character that no job can contain: remove it.")
            given[name] = value
        for name in ("from", "to"):
            if name not in given:
                raise InvalidParameter(f"{name} is missing: give it as a time like 2026-04-01T00:00:00Z.")
        bounds = DateRange(parse_instant("from", given.pop("from")), parse_instant("to", given.pop("to")))
        values: dict[str, Any] = {}
        for name, value in given.items():
            PARAMETERS[name](values, name, value)
        return cls(range=bounds, **values)

    def to_params(self) -> dict[str, str]:
        """Print the filter as parameters: text values, UTC instants, no defaults.

        `from_params(f.to_params().items()) == f` holds for every filter.
        """
        params = {"from": print_instant(self.range.start), "to": print_instant(self.range.end)}
        lists = {"type": self.type, "status": self.status, "decision": self.decision, "category": self.category}
        params |= {name: ",".join(items) for name, items in lists.items() if items}
        if self.no_category:
            params["category"] = "none"
        params |= {category.column: self.cells[category].value for category in Category if category in self.cells}
        if self.evaluated is not None:
            params["evaluated"] = "true" if self.evaluated else "false"
        texts = {"q": self.q, "job_id": self.job_id, "client_id": self.client_id}
        params |= {name: value for name, value in texts.items() if value is not None}
        if self.spreadsheet_safe:
            params["spreadsheet_safe"] = "true"
        return params

    def narrows(self) -> bool:
        """Tell whether anything but the bounds is given."""
        return len(self.to_params()) > len(("from", "to"))

    def job_id_range(self) -> tuple[UUID, UUID] | None:
        """Return the first and the last UUID that begin with `job_id`, or None."""
        if self.job_id is None:
            return None
        digits = self.job_id.replace("-", "")
        return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))


_Parser = Callable[[dict[str, Any], str, str], None]


def _items(name: str, value: str) -> list[str]:
    items = value.split(",")
    if "" in items:
        raise InvalidParameter(f"{name} has an empty item: remove the superfluous comma.")
    return items


def _known_items(name: str, value: str, known: Iterable[str]) -> list[str]:
    """Split a list and return its items once each, in the order of the known ones."""
    known = tuple(known)
    items = _items(name, value)
    for item in items:
        if item not in known:
            raise InvalidParameter(f"{name} does not know {_quote(item)}: it takes {', '.join(known)}.")
    return [item for item in known if item in items]


def _one_of(name: str, value: str, known: Iterable[str]) -> str:
    known = tuple(known)
    if value not in known:
        raise InvalidParameter(f"{name} does not know {_quote(value)}: it takes {' or '.join(known)}.")
    return value


def _parse_type(values: dict[str, Any], name: str, value: str) -> None:
    values["type"] = tuple(sorted(set(_items(name, value))))


def _parse_status(values: dict[str, Any], name: str, value: str) -> None:
    values["status"] = tuple(_known_items(name, value, STATUSES))


def _parse_decision(values: dict[str, Any], name: str, value: str) -> None:
    values["decision"] = tuple(Decision(item) for item in _known_items(name, value, Decision))


def _parse_category(values: dict[str, Any], name: str, value: str) -> None:
    items = _known_items(name, value, [*Category, "none"])
    if "none" in items and len(items) > 1:
        raise InvalidParameter(f"{name} takes none only alone: leave out none or the others.")
    if items == ["none"]:
        values["no_category"] = True
    else:
        values["category"] = tuple(Category(item) for item in items)


def _parse_cell(values: dict[str, Any], name: str, value: str) -> None:
    category = Category(name.removeprefix("category_"))
    values.setdefault("cells", {})[category] = Cell(_one_of(name, value, Cell))


def _parse_boolean(values: dict[str, Any], name: str, value: str) -> None:
    values[name] = _one_of(name, value, ("true", "false")) == "true"


def _parse_search(values: dict[str, Any], name: str, value: str) -> None:
    if len(value) > LONGEST_SEARCH:
        raise InvalidParameter(f"{name} is longer than {LONGEST_SEARCH} characters: shorten it.")
    values[name] = value


def _parse_job_id(values: dict[str, Any], name: str, value: str) -> None:
    fits = len(value) <= len(_UUID_FORM) and all(
        found == "-" if wanted == "-" else found in "0123456789abcdefABCDEF"
        for found, wanted in zip(value, _UUID_FORM, strict=False)
    )
    if not fits:
        raise InvalidParameter(f"{name} is not the beginning of a UUID like 0b9f3c1e-5a7d-4e0b-9c55-0d1f2a3b4c5d.")
    values[name] = value.lower()


def _parse_text(values: dict[str, Any], name: str, value: str) -> None:
    values[name] = value


def _parse_bound(values: dict[str, Any], name: str, value: str) -> None:
    raise AssertionError(f"{name} is parsed before the others")


# Every parameter, in the order in which they are documented and printed.
PARAMETERS: Mapping[str, _Parser] = {
    "from": _parse_bound,
    "to": _parse_bound,
    "type": _parse_type,
    "status": _parse_status,
    "decision": _parse_decision,
    "category": _parse_category,
    **{category.column: _parse_cell for category in Category},
    "evaluated": _parse_boolean,
    "q": _parse_search,
    "job_id": _parse_job_id,
    "client_id": _parse_text,
    "spreadsheet_safe": _parse_boolean,
}


def _quote(value: str) -> str:
    """Quote what a caller sent, shortened and in ASCII, so that a message stays one plain line."""
    shown = value if len(value) <= 40 else value[:39] + "…"
    return '"' + "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in shown) + '"'
