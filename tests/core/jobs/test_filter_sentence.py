"""A filter as a sentence, for a person who was not there."""

from zoneinfo import ZoneInfo

import pytest

from core.characters import quote
from core.jobs.filter import PARAMETERS, JobFilter
from core.jobs.filter_sentence import describe_filter
from tests.support.documents import APRIL, april

SPAN = "from 1 Apr 2026 00:00 up to, not including, 1 May 2026 00:00 (UTC)"

# A value of every parameter beside the bounds, and the sentence of a filter with it.
SENTENCES: dict[tuple[str, str], str] = {
    ("from", APRIL["from"]): f"All jobs {SPAN}.",
    ("to", APRIL["to"]): f"All jobs {SPAN}.",
    ("type", "prompt"): f"Jobs {SPAN}, type “prompt”.",
    ("type", "pre,post,image"): f"Jobs {SPAN}, type “image”, “post” or “pre”.",
    ("status", "queued,failed"): f"Jobs {SPAN}, status queued or failed.",
    ("decision", "reject"): f"Rejected jobs {SPAN}.",
    ("decision", "reject,pass,undecided"): f"Rejected, passed or undecided jobs {SPAN}.",
    ("category", "nsfw,underage"): f"Jobs {SPAN}, flagged Underage or NSFW.",
    ("category", "none"): f"Jobs {SPAN}, evaluated and not flagged.",
    ("category_ai_adult_general", "true"): f"Jobs {SPAN}, AI adult content is yes.",
    ("category_underage", "false"): f"Jobs {SPAN}, Underage is no.",
    ("category_nsfw", "empty"): f"Jobs {SPAN}, NSFW is empty.",
    ("evaluated", "true"): f"Jobs {SPAN}, with a moderation log.",
    ("evaluated", "false"): f"Jobs {SPAN}, without a moderation log.",
    ("flagged", "true"): f"Jobs {SPAN}, flagged by any category.",
    ("flagged", "false"): f"Jobs {SPAN}, not flagged.",
    ("has_reason", "true"): f"Jobs {SPAN}, with a reason.",
    ("has_reason", "false"): f"Jobs {SPAN}, without a reason.",
    ("q", "blue lighthouse"): f"Jobs {SPAN}, prompt contains “blue lighthouse”.",
    ("reason", "a rule"): f"Jobs {SPAN}, reason is “a rule”.",
    ("reason_contains", "rule"): f"Jobs {SPAN}, reason contains “rule”.",
    ("job_id", "0B9F"): f"Jobs {SPAN}, job id begins with “0b9f”.",
    ("job_id", "f,0,a,1,2"): f"Jobs {SPAN}, job id begins with “0”, “1”, “2”, “a” or “f”.",
    ("api_key_id", "b,a"): f"Jobs {SPAN}, submitted with API key “a” or “b”.",
    ("client_id", "acme"): f"Jobs of client “acme” {SPAN}.",
    ("spreadsheet_safe", "true"): f"Jobs {SPAN}, cells guarded for spreadsheets.",
}


def test_no_parameter_is_forgotten() -> None:
    """Every parameter of the export is described here; a new one fails until it has its words."""
    assert {name for name, _ in SENTENCES} == set(PARAMETERS)


@pytest.mark.parametrize(("name", "value"), SENTENCES)
def test_a_parameter_is_said_in_words(name: str, value: str) -> None:
    """Each parameter alone gives its sentence."""
    assert describe_filter(april(**{name: value})) == SENTENCES[name, value]


@pytest.mark.parametrize(
    ("zone", "bounds", "said"),
    [
        (
            "Europe/Berlin",
            ("2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z"),
            "1 Oct 2026 00:00 up to, not including, 1 Nov 2026 00:00",
        ),
        # The clocks are set back at three: at half past two it is not said which one is meant.
        ("Europe/Berlin", ("2026-10-25T00:30:00Z", "2026-10-25T12:00:00Z"), None),
        ("America/New_York", ("0001-01-01T00:00:00Z", "0001-02-01T00:00:00Z"), None),
    ],
)
def test_bounds_are_said_in_a_zone(zone: str, bounds: tuple[str, str], said: str | None) -> None:
    """A month is one there; where that could be mistaken, and where no calendar goes, they are said in UTC."""
    job_filter = april(**{"from": bounds[0], "to": bounds[1]})

    sentence = describe_filter(job_filter, zone=ZoneInfo(zone))

    assert sentence == (describe_filter(job_filter) if said is None else f"All jobs from {said} ({zone}).")


def test_all_parameters_make_one_sentence() -> None:
    """All parameters at once are one sentence, and none is left out."""
    job_filter = april(
        type="prompt",
        status="completed",
        decision="reject",
        category="nsfw",
        category_nsfw="true",
        evaluated="true",
        flagged="true",
        q="boat",
        reason="a rule",
        reason_contains="rule",
        has_reason="true",
        job_id="0b",
        api_key_id="key-1",
        client_id="acme",
        spreadsheet_safe="true",
    )

    assert describe_filter(job_filter) == (
        f"Rejected jobs of client “acme” {SPAN}, type “prompt”, status completed, flagged NSFW, NSFW is yes, "
        "with a moderation log, flagged by any category, prompt contains “boat”, reason is “a rule”, reason contains "
        "“rule”, with a reason, job id begins with “0b”, submitted with API key “key-1”, cells guarded for "
        "spreadsheets."
    )


def test_times_are_exact() -> None:
    """Seconds and their fractions are said where there are some, in UTC, in any year."""
    bounds = {"from": "0001-02-03T01:00:00+01:00", "to": "0001-02-03T00:00:09.000005Z"}

    assert describe_filter(JobFilter.from_params(bounds.items())) == (
        "All jobs from 3 Feb 1 00:00 up to, not including, 3 Feb 1 00:00:09.000005 (UTC)."
    )


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("<b>*x*</b> $y$", "“<b>*x*</b> $y$”"),
        ("a\u202eb\u2069c\u200bd", "“a\\u{202e}b\\u{2069}c\\u{200b}d”"),
        ("one\ntwo\ttab", "“one\\u{a}two\\u{9}tab”"),
        ("שלום", "“\u2068שלום\u2069”"),
    ],
)
def test_a_text_from_outside_cannot_change_how_the_rest_is_read(value: str, quoted: str) -> None:
    """Invisible and direction-changing characters are written as numbers; right-to-left text is isolated."""
    assert quote(value) == quoted


def test_a_long_text_is_shortened_where_that_is_wanted() -> None:
    """A list shows the beginning of what was searched for, a receipt all of it."""
    job_filter = april(q="x" * 500)

    assert describe_filter(job_filter, longest=10) == f"Jobs {SPAN}, prompt contains “{'x' * 9}…”."
    assert describe_filter(job_filter) == f"Jobs {SPAN}, prompt contains “{'x' * 500}”."


def test_a_long_list_of_ids_is_shortened_where_that_is_wanted() -> None:
    """A list names the first three ids and the number of the others, unless that is one."""
    assert [describe_filter(april(job_id=ids), longest=10) for ids in ("0,1,2,3", "0,1,2,3,4")] == [
        f"Jobs {SPAN}, job id begins with “0”, “1”, “2” or “3”.",
        f"Jobs {SPAN}, job id begins with “0”, “1”, “2” or 2 others.",
    ]
