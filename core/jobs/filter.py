"""What is asked for: a range of time and the filters of the export, parsed, checked and printed back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from core.errors import InvalidParameter
from core.instants import print_instant
from core.jobs.parameters import LISTS, Boolean, Choice, Choices, Instant, Names, Parameter, Prefixes, Text, quote

# The API page "Export jobs as CSV": "The maximum window is 366 days".
LONGEST_RANGE = timedelta(days=366)
LONGEST_SEARCH = 500

# As many ids as somebody pastes, and few enough for one statement.
MOST_JOB_IDS = 100

STATUSES = ("queued", "processing", "completed", "failed")


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


# Every parameter, in the order in which they are documented and printed.
FROM = Parameter(
    "from", "Jobs created from this time on: inclusive, and not after to.", Instant("2026-04-01T00:00:00Z")
)
TO = Parameter(
    "to", "Jobs created before this time: exclusive, at most 366 days after from.", Instant("2026-05-01T00:00:00Z")
)
TYPE = Parameter("type", "Types, with commas between them.", Names())
STATUS = Parameter("status", "Statuses, with commas between them.", Choices(STATUSES))
DECISION = Parameter("decision", "Decisions, with commas between them.", Choices(tuple(Decision)))
CATEGORY: Parameter[tuple[str, ...]] = Parameter(
    "category",
    "Categories of which any is true, with commas between them; or none alone: a log exists and none is true.",
    Choices((*Category, "none"), alone="none"),
)
CELLS = {
    category: Parameter(category.column, "Exactly what this cell shows.", Choice(tuple(Cell))) for category in Category
}
EVALUATED = Parameter("evaluated", "Whether the job has a moderation log.", Boolean())
FLAGGED = Parameter("flagged", "Whether any category is true; without a moderation log none is.", Boolean())
Q = Parameter("q", "The prompt contains this, regardless of case.", Text(LONGEST_SEARCH))
REASON = Parameter("reason", "The reason is exactly this.", Text(LONGEST_SEARCH))
REASON_CONTAINS = Parameter("reason_contains", "The reason contains this, regardless of case.", Text(LONGEST_SEARCH))
HAS_REASON = Parameter("has_reason", "Whether the job has a reason; an empty one is none.", Boolean())
JOB_ID = Parameter("job_id", "Beginnings of job ids (UUIDs), with commas between them.", Prefixes(MOST_JOB_IDS))
API_KEY_ID = Parameter(
    "api_key_id", "Ids of API keys that jobs were submitted with, with commas between them.", Names()
)
CLIENT_ID = Parameter("client_id", "One client's jobs; a client's own key may only name its client.", Text())
SPREADSHEET_SAFE = Parameter(
    "spreadsheet_safe", "Put ' before cells that a spreadsheet could take for a formula.", Boolean()
)

PARAMETERS: Mapping[str, Parameter[Any]] = {
    parameter.name: parameter
    for parameter in (
        *(FROM, TO, TYPE, STATUS, DECISION, CATEGORY, *CELLS.values(), EVALUATED, FLAGGED),
        *(Q, REASON, REASON_CONTAINS, HAS_REASON, JOB_ID, API_KEY_ID, CLIENT_ID, SPREADSHEET_SAFE),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs are meant, and in what form: every parameter of the export, typed. All combine with AND.

    `job_id` holds lower-case prefixes of UUIDs as text, of which any fits. `no_category` is the value `none` of the
    parameter `category`: a moderation log exists and none of its flags is true.
    """

    range: DateRange
    type: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    decision: tuple[Decision, ...] = ()
    category: tuple[Category, ...] = ()
    no_category: bool = False
    cells: Mapping[Category, Cell] = field(default_factory=dict)
    evaluated: bool | None = None
    flagged: bool | None = None
    q: str | None = None
    reason: str | None = None
    reason_contains: str | None = None
    has_reason: bool | None = None
    job_id: tuple[str, ...] = ()
    api_key_id: tuple[str, ...] = ()
    client_id: str | None = None
    spreadsheet_safe: bool = False

    @classmethod
    def from_params(cls, params: Iterable[tuple[str, str]]) -> "JobFilter":
        """Parse the parameters of a request, in any order.

        Raises `InvalidParameter` for a parameter that is unknown, repeated, empty, missing or wrong, and for bounds
        that are reversed or too far apart.
        """
        given = _check_names(params)
        cells = {category: parameter.read(given) for category, parameter in CELLS.items()}
        categories = CATEGORY.read(given) or ()
        return cls(
            range=DateRange(_read_bound(FROM, given), _read_bound(TO, given)),
            type=TYPE.read(given) or (),
            status=STATUS.read(given) or (),
            decision=DECISION.read(given) or (),
            category=tuple(Category(item) for item in categories if item != "none"),
            no_category="none" in categories,
            cells={category: cell for category, cell in cells.items() if cell is not None},
            evaluated=EVALUATED.read(given),
            flagged=FLAGGED.read(given),
            q=Q.read(given),
            reason=REASON.read(given),
            reason_contains=REASON_CONTAINS.read(given),
            has_reason=HAS_REASON.read(given),
            job_id=JOB_ID.read(given) or (),
            api_key_id=API_KEY_ID.read(given) or (),
            client_id=CLIENT_ID.read(given),
            spreadsheet_safe=SPREADSHEET_SAFE.read(given) or False,
        )

    def to_params(self) -> dict[str, str]:
        """Print the filter as parameters: text values, UTC instants, no defaults.

        `from_params(f.to_params().items()) == f` holds for every filter.
        """
        params: dict[Parameter[Any], str | None] = {
            FROM: print_instant(self.range.start),
            TO: print_instant(self.range.end),
            TYPE: ",".join(self.type),
            STATUS: ",".join(self.status),
            DECISION: ",".join(self.decision),
            CATEGORY: "none" if self.no_category else ",".join(self.category),
            **{parameter: self.cells.get(category, "") for category, parameter in CELLS.items()},
            EVALUATED: _print_boolean(self.evaluated),
            FLAGGED: _print_boolean(self.flagged),
            Q: self.q,
            REASON: self.reason,
            REASON_CONTAINS: self.reason_contains,
            HAS_REASON: _print_boolean(self.has_reason),
            JOB_ID: ",".join(self.job_id),
            API_KEY_ID: ",".join(self.api_key_id),
            CLIENT_ID: self.client_id,
            SPREADSHEET_SAFE: "true" if self.spreadsheet_safe else "",
        }
        return {parameter.name: str(value) for parameter, value in params.items() if value}

    def narrows(self) -> bool:
        """Tell whether anything but the bounds is given."""
        return len(self.to_params()) > len((FROM, TO))

    def job_id_ranges(self) -> list[tuple[UUID, UUID]]:
        """Return the first and the last UUID that begin with each item of `job_id`."""
        digits = [prefix.replace("-", "") for prefix in self.job_id]
        return [(UUID(each.ljust(32, "0")), UUID(each.ljust(32, "f"))) for each in digits]


def _print_boolean(value: bool | None) -> str:
    return {None: "", True: "true", False: "false"}[value]


def _read_bound(parameter: Parameter[datetime], given: Mapping[str, str]) -> datetime:
    bound = parameter.read(given)
    if bound is None:
        raise InvalidParameter(f"{parameter.name} is missing: give it as a time like 2026-04-01T00:00:00Z.")
    return bound


def _check_names(params: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the parameters by their names. Raises `InvalidParameter` where one is unknown, repeated or empty."""
    given: dict[str, str] = {}
    for name, value in params:
        if name not in PARAMETERS:
            raise InvalidParameter(
                f"{quote(name)} is not a parameter of this export: remove it. Known are {', '.join(PARAMETERS)}."
            )
        if name in given:
            form = ", with commas between values" if isinstance(PARAMETERS[name].kind, LISTS) else ""
            raise InvalidParameter(f"{name} is given more than once: give it once{form}.")
        if value == "":
            raise InvalidParameter(f"{name} is empty: give it a value or leave it out.")
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise InvalidParameter(f"{name} contains a character that no job can contain: remove it.")
        given[name] = value
    return given
