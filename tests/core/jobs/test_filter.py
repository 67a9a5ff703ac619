"""Filters: parsed strictly, checked, and printed back."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given

from core.errors import InvalidParameter
from core.instants import parse_instant, print_exact, print_instant
from core.jobs.filter import PARAMETERS, Category, Cell, DateRange, Decision, JobFilter
from tests.support.documents import APRIL, april
from tests.support.strategies import params

UUID_TEXT = "0b9f3c1e-5a7d-4e0b-9c55-0d1f2a3b4c5d"
HUNDRED_IDS = tuple(f"{number:08x}-" for number in range(100))
RANGE = DateRange(datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC))

# The value of each parameter, the filter it makes, and the value as it is printed back (None: it is a default).
PARSED: dict[str, list[tuple[str, JobFilter, str | None]]] = {
    "type": [
        ("image", JobFilter(range=RANGE, type=("image",)), "image"),
        ("video,a b,image,video", JobFilter(range=RANGE, type=("a b", "image", "video")), "a b,image,video"),
    ],
    "status": [
        ("failed", JobFilter(range=RANGE, status=("failed",)), "failed"),
        ("failed,queued,failed", JobFilter(range=RANGE, status=("queued", "failed")), "queued,failed"),
    ],
    "decision": [
        ("reject", JobFilter(range=RANGE, decision=(Decision.REJECT,)), "reject"),
        (
            "undecided,pass,reject",
            JobFilter(range=RANGE, decision=(Decision.REJECT, Decision.PASS, Decision.UNDECIDED)),
            "reject,pass,undecided",
        ),
    ],
    "category": [
        ("nsfw", JobFilter(range=RANGE, category=(Category.NSFW,)), "nsfw"),
        (
            "nsfw,ai_adult_general",
            JobFilter(range=RANGE, category=(Category.AI_ADULT_GENERAL, Category.NSFW)),
            "ai_adult_general,nsfw",
        ),
        ("none", JobFilter(range=RANGE, no_category=True), "none"),
        ("none,none", JobFilter(range=RANGE, no_category=True), "none"),
    ],
    **{
        category.column: [
            (cell.value, JobFilter(range=RANGE, cells={category: cell}), cell.value)
            for cell in (Cell.TRUE, Cell.FALSE, Cell.EMPTY)
        ]
        for category in Category
    },
    "evaluated": [
        ("true", JobFilter(range=RANGE, evaluated=True), "true"),
        ("false", JobFilter(range=RANGE, evaluated=False), "false"),
    ],
    "flagged": [
        ("true", JobFilter(range=RANGE, flagged=True), "true"),
        ("false", JobFilter(range=RANGE, flagged=False), "false"),
    ],
    "has_reason": [
        ("true", JobFilter(range=RANGE, has_reason=True), "true"),
        ("false", JobFilter(range=RANGE, has_reason=False), "false"),
    ],
    "q": [
        (r" 100%_\ É'", JobFilter(range=RANGE, q=r" 100%_\ É'"), r" 100%_\ É'"),
        ("🦊" * 500, JobFilter(range=RANGE, q="🦊" * 500), "🦊" * 500),
    ],
    "reason": [
        (" a rule, 100%\r\n", JobFilter(range=RANGE, reason=" a rule, 100%\r\n"), " a rule, 100%\r\n"),
        ("🦊" * 500, JobFilter(range=RANGE, reason="🦊" * 500), "🦊" * 500),
    ],
    "reason_contains": [
        (r"\ É,_", JobFilter(range=RANGE, reason_contains=r"\ É,_"), r"\ É,_"),
        ("🦊" * 500, JobFilter(range=RANGE, reason_contains="🦊" * 500), "🦊" * 500),
    ],
    "job_id": [
        ("0", JobFilter(range=RANGE, job_id=("0",)), "0"),
        ("0B9F3C1E-", JobFilter(range=RANGE, job_id=("0b9f3c1e-",)), "0b9f3c1e-"),
        (UUID_TEXT, JobFilter(range=RANGE, job_id=(UUID_TEXT,)), UUID_TEXT),
        (f"F,0b,{UUID_TEXT},f", JobFilter(range=RANGE, job_id=("0b", UUID_TEXT, "f")), f"0b,{UUID_TEXT},f"),
        (",".join(HUNDRED_IDS), JobFilter(range=RANGE, job_id=HUNDRED_IDS), ",".join(HUNDRED_IDS)),
    ],
    "api_key_id": [
        ("key 1", JobFilter(range=RANGE, api_key_id=("key 1",)), "key 1"),
        ("b,%,b", JobFilter(range=RANGE, api_key_id=("%", "b")), "%,b"),
    ],
    "client_id": [("Acme, Ltd", JobFilter(range=RANGE, client_id="Acme, Ltd"), "Acme, Ltd")],
    "spreadsheet_safe": [
        ("true", JobFilter(range=RANGE, spreadsheet_safe=True), "true"),
        ("false", JobFilter(range=RANGE), None),
    ],
}

# A parameter, a value that it does not take, and what is said of it.
REFUSED = [
    ("status", "done", 'status does not know "done": it takes queued, processing, completed, failed.'),
    ("status", "Failed", 'status does not know "Failed": it takes queued, processing, completed, failed.'),
    ("decision", "true", 'decision does not know "true": it takes reject, pass, undecided.'),
    ("category", "other", 'category does not know "other": it takes ai_adult_general, underage, nsfw, none.'),
    ("category", "none,nsfw", "category takes none only alone: leave out none or the others."),
    ("category_nsfw", "null", 'category_nsfw does not know "null": it takes true or false or empty.'),
    (
        "category_underage",
        "true,false",
        'category_underage does not know "true,false": it takes true or false or empty.',
    ),
    ("flagged", "no", 'flagged does not know "no": it takes true or false.'),
    ("has_reason", "TRUE", 'has_reason does not know "TRUE": it takes true or false.'),
    ("evaluated", "1", 'evaluated does not know "1": it takes true or false.'),
    ("spreadsheet_safe", "TRUE", 'spreadsheet_safe does not know "TRUE": it takes true or false.'),
    *(
        (name, "x" * 501, f"{name} is longer than 500 characters: shorten it.")
        for name in ("q", "reason", "reason_contains")
    ),
    *(
        (
            "job_id",
            value,
            f'job_id does not take "{value}": give the beginning of a UUID like {UUID_TEXT}.',
        )
        for value in ("g", "0b9f3c1e5", "-", "0b9f3c1e_", "٠", UUID_TEXT + "0", "{" + UUID_TEXT + "}", " 0b")
    ),
    ("job_id", ",".join((*HUNDRED_IDS, "f")), "job_id has more than 100 items: ask for the rest separately."),
    *(
        (name, value, f"{name} has an empty item: remove the superfluous comma.")
        for name, value in (
            ("type", ","),
            ("type", "image,"),
            ("status", ",failed"),
            ("decision", "pass,,reject"),
            ("category", "nsfw,"),
            ("job_id", "0b,,f"),
            ("api_key_id", ","),
        )
    ),
]

VALID_TIMES = {
    "2026-04-01T00:00:00Z": datetime(2026, 4, 1, tzinfo=UTC),
    "2026-04-01t00:00:00z": datetime(2026, 4, 1, tzinfo=UTC),
    "2026-04-01T02:30:00+02:30": datetime(2026, 4, 1, tzinfo=UTC),
    "2026-03-31T19:00:00-05:00": datetime(2026, 4, 1, tzinfo=UTC),
    "2026-04-01T00:00:00-00:00": datetime(2026, 4, 1, tzinfo=UTC),
    "2026-04-01T23:58:59+23:59": datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC),
    "2024-02-29T12:00:00Z": datetime(2024, 2, 29, 12, tzinfo=UTC),
    "0001-01-01T00:00:00Z": datetime(1, 1, 1, tzinfo=UTC),
    "9999-12-31T23:59:59.999999Z": datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    "2026-04-01T00:00:00.5Z": datetime(2026, 4, 1, 0, 0, 0, 500000, tzinfo=UTC),
    "2026-04-01T00:00:00.25Z": datetime(2026, 4, 1, 0, 0, 0, 250000, tzinfo=UTC),
    "2026-04-01T00:00:00.125Z": datetime(2026, 4, 1, 0, 0, 0, 125000, tzinfo=UTC),
    "2026-04-01T00:00:00.0625Z": datetime(2026, 4, 1, 0, 0, 0, 62500, tzinfo=UTC),
    "2026-04-01T00:00:00.03125Z": datetime(2026, 4, 1, 0, 0, 0, 31250, tzinfo=UTC),
    "2026-04-01T00:00:00.000001Z": datetime(2026, 4, 1, 0, 0, 0, 1, tzinfo=UTC),
}

NO_TIMES = [
    *("yesterday", "now", "today", "infinity", "-infinity", "epoch", "1775001600", "allballs"),
    *("2026-W01-1", "2026-W01-1T00:00:00Z", "2026-091T00:00:00Z", "20260401T000000Z", "2026-04-01"),
    *("2026-04-01T00:00Z", "2026-04-01T00Z", "2026-04-01T00:00:00", "2026-04-01 00:00:00Z", "2026-04-01_00:00:00Z"),
    *("2026-04-01T00:00:00.1234567Z", "2026-04-01T00:00:00.Z", "2026-04-01T00:00:00,5Z"),
    *("2026-04-01T00:00:00+0200", "2026-04-01T00:00:00+02", "2026-04-01T00:00:00 UTC", "2026-04-01T00:00:00Z+00:00"),
    *("٢٠٢٦-04-01T00:00:00Z", "2026-04-01T00:00:0０Z", "2026-04-01T00:00:00−02:00", "2026-4-1T0:00:00Z"),
    *("+2026-04-01T00:00:00Z", "12026-04-01T00:00:00Z", "2026-04-01T00:00:00Z\n", " 2026-04-01T00:00:00Z"),
]

TIMES_THAT_DO_NOT_EXIST = [
    *("2026-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z"),
    *("2026-04-00T00:00:00Z", "2026-04-01T24:00:00Z", "2026-04-01T00:60:00Z"),
    *("2016-12-31T23:59:60Z", "0000-01-01T00:00:00Z"),
    *("2026-04-01T00:00:00+24:00", "2026-04-01T00:00:00+02:60"),
    *("0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"),
]


def refusal(*params: tuple[str, str]) -> str:
    """Return what is said where these parameters are refused."""
    with pytest.raises(InvalidParameter) as caught:
        JobFilter.from_params(params)
    return str(caught.value)


def test_every_parameter_is_tried() -> None:
    """No parameter is left out of the tables above."""
    assert {"from", "to", *PARSED} == PARAMETERS.keys()


@pytest.mark.parametrize(
    ("name", "value", "job_filter", "printed"), [(name, *case) for name, cases in PARSED.items() for case in cases]
)
def test_a_parameter_is_parsed_and_printed_back(
    name: str, value: str, job_filter: JobFilter, printed: str | None
) -> None:
    """A parameter becomes a typed value, and the filter prints it in one canonical form, without defaults."""
    parsed = april(**{name: value})

    assert parsed == job_filter
    assert parsed.to_params() == (APRIL if printed is None else APRIL | {name: printed})


@pytest.mark.parametrize(("name", "value", "message"), REFUSED)
def test_a_wrong_value_is_refused_by_name(name: str, value: str, message: str) -> None:
    """What a parameter does not take is refused, and the message names the parameter and the remedy."""
    assert refusal(*APRIL.items(), (name, value)) == message


@given(params())
def test_what_is_printed_is_parsed_again(given_params: dict[str, str]) -> None:
    """`from_params(f.to_params().items()) == f` holds for every filter, and so does what is printed of it."""
    job_filter = JobFilter.from_params(given_params.items())

    again = JobFilter.from_params(job_filter.to_params().items())

    assert again == job_filter
    assert again.to_params() == job_filter.to_params()


def test_parameters_may_come_in_any_order() -> None:
    """The bounds need not be first."""
    assert JobFilter.from_params([("q", "x"), *reversed(APRIL.items())]) == april(q="x")


@pytest.mark.parametrize(("text", "instant"), VALID_TIMES.items())
def test_a_time_of_rfc_3339_is_understood(text: str, instant: datetime) -> None:
    """RFC 3339 with seconds, up to six digits of a fraction, and Z or an offset is read to the microsecond."""
    parsed = parse_instant("from", text)

    assert (parsed, parsed.tzinfo) == (instant, UTC)


@pytest.mark.parametrize("text", NO_TIMES)
def test_what_is_no_time_of_rfc_3339_is_refused(text: str) -> None:
    """Nothing is guessed: no words, no ISO 8601 beyond RFC 3339, no digits but ASCII ones."""
    assert refusal(("from", text), ("to", APRIL["to"])) == (
        "from is not a time like 2026-04-01T00:00:00Z (RFC 3339, with Z or an offset)."
    )


@pytest.mark.parametrize("text", TIMES_THAT_DO_NOT_EXIST)
def test_a_time_that_does_not_exist_is_refused(text: str) -> None:
    """A day, hour, second or offset beyond the calendar is not rolled over; a leap second cannot be stored."""
    assert refusal(("from", APRIL["from"]), ("to", text)) == "to names a time that does not exist: correct it."


@pytest.mark.parametrize("name", ["from", "to"])
def test_a_lost_plus_is_recognised(name: str) -> None:
    """Where a URL has turned `+` into a space, the message says `%2B`."""
    bounds = APRIL | {name: "2026-04-15T00:00:00 02:00"}

    assert refusal(*bounds.items()) == f"{name} lost its + on the way: write + as %2B in a URL."


def test_the_longest_range_is_exactly_366_days() -> None:
    """Bounds 366 × 24 hours apart are accepted, one microsecond more is not; the message names both."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    end = start + timedelta(hours=366 * 24)
    too_late = end + timedelta(microseconds=1)

    accepted = JobFilter.from_params([("from", print_instant(start)), ("to", print_instant(end))])

    assert accepted.range == DateRange(start, end)
    assert refusal(("from", print_instant(start)), ("to", print_instant(too_late))) == (
        "from and to are more than 366 days apart: choose a shorter range."
    )


def test_reversed_bounds_are_refused_by_both_names() -> None:
    """`from` after `to` is an error that names both, even by a microsecond; equal bounds are an empty range."""
    equal = JobFilter.from_params([("from", APRIL["from"]), ("to", "2026-04-01T02:00:00+02:00")])

    assert equal.range == DateRange(RANGE.start, RANGE.start)
    assert refusal(("from", "2026-04-01T00:00:00.000001Z"), ("to", APRIL["from"])) == (
        "from is after to: exchange them; from is inclusive and to is exclusive."
    )


@pytest.mark.parametrize(("missing", "other"), [("from", "to"), ("to", "from")])
def test_both_bounds_are_required(missing: str, other: str) -> None:
    """Without one of the bounds there is no export."""
    assert refusal((other, APRIL[other])) == f"{missing} is missing: give it as a time like 2026-04-01T00:00:00Z."


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("colour", '"colour"'),
        ("Q", '"Q"'),
        ("spreadsheet-safe", '"spreadsheet-safe"'),
        ("", '""'),
        ("a\nb\x1b[1m", '"a�b�[1m"'),
        ("x" * 1000, '"' + "x" * 39 + '…"'),
    ],
)
def test_an_unknown_parameter_is_refused(name: str, shown: str) -> None:
    """Nothing is ignored: an unknown name is quoted, shortened and in one line, and the known ones are listed."""
    assert refusal(*APRIL.items(), (name, "x")) == (
        f"{shown} is not a parameter of this export: remove it. Known are from, to, type, status, decision, category, "
        "category_ai_adult_general, category_underage, category_nsfw, evaluated, flagged, q, reason, reason_contains, "
        "has_reason, job_id, api_key_id, client_id, spreadsheet_safe."
    )


LISTS = ("type", "status", "decision", "category", "job_id", "api_key_id")


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_repeated_parameter_is_refused(name: str) -> None:
    """A parameter that comes twice is an error, even with the same value; commas help only where it takes a list."""
    value = APRIL.get(name, "true")
    form = ", with commas between values" if name in LISTS else ""

    assert refusal((name, value), (name, value)) == f"{name} is given more than once: give it once{form}."


@pytest.mark.parametrize("name", PARAMETERS)
def test_an_empty_parameter_is_refused(name: str) -> None:
    """An empty value is an error, not the default."""
    assert refusal((name, "")) == f"{name} is empty: give it a value or leave it out."


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("character", ["\0", chr(0xD800), chr(0xDFFF)])
def test_characters_that_no_job_can_contain_are_refused(name: str, character: str) -> None:
    """PostgreSQL stores neither NUL nor half a surrogate, so neither is sent there."""
    assert refusal((name, f"a{character}b")) == f"{name} contains a character that no job can contain: remove it."


def test_a_filter_narrows_where_more_than_the_bounds_is_given() -> None:
    """Bounds alone, or with a default spelled out, do not make a file `filtered`; every other parameter does."""
    narrowing = {name: april(**{name: cases[0][0]}).narrows() for name, cases in PARSED.items()}

    assert narrowing == dict.fromkeys(PARSED, True)
    assert not april().narrows()
    assert not april(spreadsheet_safe="false").narrows()


def test_instants_are_printed_in_utc() -> None:
    """Parameters print a fraction only where there is one; exports and receipts always print microseconds."""
    whole = parse_instant("from", "0026-04-01T02:00:00+02:00")
    fraction = parse_instant("from", "2026-04-01T00:00:00.5Z")

    assert [print_instant(whole), print_exact(whole)] == ["0026-04-01T00:00:00Z", "0026-04-01T00:00:00.000000Z"]
    assert [print_instant(fraction), print_exact(fraction)] == [
        "2026-04-01T00:00:00.500000Z",
        "2026-04-01T00:00:00.500000Z",
    ]
