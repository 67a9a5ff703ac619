"""What Hypothesis draws from: texts, and filters as requests give them."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from core.instants import print_instant
from core.jobs.filter import LONGEST_RANGE, LONGEST_SEARCH, PARAMETERS, STATUSES, Category, Cell, Decision

# Whatever PostgreSQL can store as text: no NUL, no halves of surrogates.
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")

# More often than chance would have it, what makes CSV, LIKE and spreadsheets stumble.
AWKWARD = st.sampled_from("\",\r\n\t'\\=+-@＝＋－＠ \ufeffaÉé🦊%_N.")

TEXTS = st.text(CHARACTERS | AWKWARD)


def lists(*items: str) -> st.SearchStrategy[str]:
    """Draw comma-separated lists of at least one of these, repetitions included."""
    return st.lists(st.sampled_from(items), min_size=1, max_size=len(items) + 1).map(",".join)


_NAMES = st.text(CHARACTERS.filter(lambda character: character != ","), min_size=1, max_size=20)
_SEARCHES = st.text(CHARACTERS | AWKWARD, min_size=1, max_size=LONGEST_SEARCH)
_PREFIXES = st.tuples(st.uuids(), st.integers(1, 36)).map(lambda drawn: str(drawn[0])[: drawn[1]])
_BOOLEANS = st.sampled_from(["true", "false"])

# A strategy for every parameter but the bounds.
VALUES: dict[str, st.SearchStrategy[str]] = {
    "type": st.lists(_NAMES, min_size=1, max_size=4).map(",".join),
    "status": lists(*STATUSES),
    "decision": lists(*Decision),
    "category": lists(*Category) | st.just("none"),
    **{category.column: st.sampled_from([cell.value for cell in Cell]) for category in Category},
    "evaluated": _BOOLEANS,
    "flagged": _BOOLEANS,
    "q": _SEARCHES,
    "reason": _SEARCHES,
    "reason_contains": _SEARCHES,
    "has_reason": _BOOLEANS,
    "job_id": st.lists(_PREFIXES, min_size=1, max_size=4).map(",".join),
    "api_key_id": st.lists(_NAMES, min_size=1, max_size=4).map(",".join),
    "client_id": st.text(CHARACTERS, min_size=1),
    "spreadsheet_safe": _BOOLEANS,
}
assert VALUES.keys() | {"from", "to"} == PARAMETERS.keys()


@st.composite
def bounds(draw: st.DrawFn) -> dict[str, str]:
    """Draw `from` and `to`, at most the longest range apart."""
    start = draw(st.datetimes(datetime(1, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC)))
    length = draw(st.timedeltas(timedelta(0), LONGEST_RANGE))
    return {"from": print_instant(start), "to": print_instant(start + length)}


def params() -> st.SearchStrategy[dict[str, str]]:
    """Draw the parameters of a request: the bounds, and any of the others."""
    return st.tuples(bounds(), st.fixed_dictionaries({}, optional=VALUES)).map(lambda drawn: drawn[0] | drawn[1])
