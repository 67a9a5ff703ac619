"""Demo jobs: the same every time, believable, and harmless."""

import re
import string
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from pydantic import SecretStr

from core.db.databases import Databases
from core.db.startup import open_databases
from core.errors import NotPossible
from core.intake import demo
from core.intake.demo import DemoJob, generate, has_jobs, seed_jobs
from core.jobs.filter import STATUSES, Category
from core.settings import Settings
from tests.support.rows import insert_job

UNTIL = datetime(2026, 5, 1, tzinfo=UTC)


def stored(connection: psycopg.Connection) -> list[list[Any]]:
    """Return all jobs and all logs as they are stored."""
    tables = {"jobs": "job_id", "moderation_logs": "log_id"}
    return [
        connection.execute(f"SELECT * FROM {table} ORDER BY {key}".encode()).fetchall() for table, key in tables.items()
    ]


def draw(number: int = 4000) -> list[DemoJob]:
    return list(generate(number, seed=1, until=UNTIL))


def test_the_same_arguments_give_the_same_rows(databases: Databases, connection: psycopg.Connection) -> None:
    """Number, seed and end decide every cell of every row, ids included; seeding again replaces what was there."""
    seed_jobs(databases, 500, seed=7, until=UNTIL)
    first = stored(connection)

    seed_jobs(databases, 20, seed=8, until=UNTIL)
    other = stored(connection)
    seed_jobs(databases, 500, seed=7, until=UNTIL)

    assert len(first[0]) == 500
    assert len(other[0]) == 20
    assert stored(connection) == first


@pytest.mark.parametrize(
    "changed", [{"seed": 2}, {"until": UNTIL + timedelta(days=1)}, {"jobs": 99}], ids=["seed", "until", "jobs"]
)
def test_other_arguments_give_other_rows(changed: dict[str, Any]) -> None:
    """Another seed, another end or another number gives other jobs."""
    arguments: dict[str, Any] = {"jobs": 100, "seed": 1, "until": UNTIL}

    assert list(generate(**arguments)) != list(generate(**(arguments | changed)))


def test_rows_do_not_change_between_versions() -> None:
    """The first job of seed 1 is fixed, so that screenshots and benchmarks stay comparable."""
    job_id = UUID("d4b84b21-9fb2-4f09-b238-bff1ed2a7cd9")
    completed_at = datetime(2026, 1, 1, 2, 26, 27, 380046, tzinfo=UTC)
    background = 'Somebody in the background says "good morning", but nobody answers.'
    colours = "Use no more than four colours; leave the lower third empty."

    assert next(generate(1000, seed=1, until=UNTIL)) == DemoJob(
        job=(
            *(job_id, "demo-atelier", "image", "completed", False),
            *(datetime(2026, 1, 1, 2, 26, 21, 72353, tzinfo=UTC), completed_at),
            *(f"Draw an old library pixel by pixel. {background} {colours} {background}", None),
        ),
        logs=[
            (job_id, completed_at, False, False, True),
            (job_id, datetime(2026, 1, 1, 2, 47, 59, 380046, tzinfo=UTC), False, False, False),
        ],
    )


def test_jobs_cover_the_period_before_the_end(databases: Databases, connection: psycopg.Connection) -> None:
    """Jobs are of the 120 days before `until`, which itself is no longer of them."""
    seed_jobs(databases, 1000, seed=1, until=UNTIL)

    times = [job[5] for job in stored(connection)[0]]
    assert UNTIL - timedelta(days=120) <= min(times) < UNTIL - timedelta(days=119)
    assert UNTIL - timedelta(days=1) < max(times) < UNTIL


def test_progress_adds_up(databases: Databases) -> None:
    """`advance` hears of every job once."""
    steps: list[int] = []

    seed_jobs(databases, 5001, seed=1, until=UNTIL, advance=steps.append)

    assert steps == [5000, 1]


def test_seeding_refuses_where_other_jobs_exist(databases: Databases, connection: psycopg.Connection) -> None:
    """A job of a client that is no demo client keeps everything as it is."""
    seed_jobs(databases, 10, seed=1, until=UNTIL)
    insert_job(connection, client_id="Demo-acme")
    before = stored(connection)

    with pytest.raises(NotPossible) as caught:
        seed_jobs(databases, 20, seed=2, until=UNTIL)

    assert str(caught.value) == "There are jobs that are no demo jobs: seed only an empty database."
    assert stored(connection) == before


def test_seeding_never_touches_a_source_elsewhere(database_url: str, connection: psycopg.Connection) -> None:
    """Where SOURCE_DATABASE_URL holds the jobs, nothing is seeded, even if it is the same database."""
    url = SecretStr(database_url)
    opened = open_databases(Settings(database_url=url, source_database_url=url))

    try:
        with pytest.raises(NotPossible) as caught:
            seed_jobs(opened, 20, seed=2, until=UNTIL)
    finally:
        opened.close()

    assert str(caught.value) == (
        "The jobs live in SOURCE_DATABASE_URL, which Fencepost never writes: unset it to seed."
    )
    assert stored(connection) == [[], []]


def test_seeding_is_all_or_nothing(databases: Databases, connection: psycopg.Connection) -> None:
    """Who stops in the middle finds the jobs that were there before."""
    seed_jobs(databases, 10, seed=1, until=UNTIL)
    before = stored(connection)

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        seed_jobs(databases, 5001, seed=2, until=UNTIL, advance=stop)

    assert stored(connection) == before


def test_has_jobs_tells_whether_there_is_any(databases: Databases) -> None:
    """An empty database has no jobs, a seeded one has."""
    empty = has_jobs(databases)
    seed_jobs(databases, 1, seed=1, until=UNTIL)

    assert [empty, has_jobs(databases)] == [False, True]


def test_about_one_decided_job_in_eight_is_rejected() -> None:
    """Most jobs are decided, and about one of eight of those is rejected."""
    decisions = Counter(job.job[4] for job in draw())

    decided = decisions[True] + decisions[False]
    assert 0.105 < decisions[True] / decided < 0.145
    assert 0.02 < decisions[None] / decisions.total() < 0.12


def test_jobs_are_of_every_kind() -> None:
    """Every client, type, status and shape of text occurs that a page or an export has to show."""
    drawn = draw()
    jobs = [demo_job.job for demo_job in drawn]
    prompts = [job[7] for job in jobs]
    texts = [prompt for prompt in prompts if prompt is not None]
    flags = Counter(flag for demo_job in drawn for log in demo_job.logs for flag in log[2:])

    assert {job[1] for job in jobs} == set(demo.CLIENTS)
    assert all(client.startswith("demo-") for client in demo.CLIENTS)
    assert {job[2] for job in jobs} == {"prompt", "pre", "post", "image", "video"}
    assert {job[3] for job in jobs} == set(STATUSES)
    assert {len(demo_job.logs) for demo_job in drawn} == {0, 1, 2}
    assert flags.keys() == {True, False, None}
    assert None in prompts
    assert {job[8] for job in jobs} >= {None, "", *demo.REASONS.values(), *demo.OTHER_REASONS}
    for part in ('"', ",", "\n", "\r\n", "🦊", "ا", "י", "日本", "É", *(f"\0{first}" for first in "=+-@")):
        assert any(part in "\0" + text for text in texts), part
    assert max(map(len, texts)) > 3000


def test_jobs_do_not_contradict_themselves() -> None:
    """A job completes after it was created, is decided only once it ended, and has logs only from then on."""
    for demo_job in draw():
        _, _, _, status, is_prohibited, created_at, completed_at, _, reason = demo_job.job
        assert (completed_at is not None) == (status in ("completed", "failed"))
        assert completed_at is None or completed_at > created_at
        assert is_prohibited is None or completed_at is not None
        assert (is_prohibited is True) == bool(reason)
        assert all(completed_at is not None and log[1] >= completed_at for log in demo_job.logs)


def test_rejection_and_categories_go_together_but_not_always() -> None:
    """Flags are raised mostly for rejected jobs, and some rejected jobs have none: as in real moderation."""
    shares = {
        decision: [
            True in demo_job.logs[-1][2:] for demo_job in draw() if demo_job.logs and demo_job.job[4] is decision
        ]
        for decision in (True, False)
    }

    assert 0.6 < sum(shares[True]) / len(shares[True]) < 0.98
    assert 0 < sum(shares[False]) / len(shares[False]) < 0.06


def test_some_prompts_come_again() -> None:
    """About one prompt in six is one that came before, as people try again."""
    prompts = [job.job[7] for job in draw() if job.job[7] is not None]

    assert 0.1 < 1 - len(set(prompts)) / len(prompts) < 0.5


def test_prompts_are_harmless() -> None:
    """A prompt consists of the listed phrases only; what a category stands for is a neutral placeholder."""
    phrases = [*demo.REQUESTS, *demo.SUBJECTS, *demo.STYLES, *demo.LONGER]
    known = {word for phrase in phrases for word in words(phrase)}
    prompts = [demo_job.job[7] or "" for demo_job in draw()]

    placeholders = {found for prompt in prompts for found in re.findall(r"\[[^]]*\]", prompt)}
    said = {word for prompt in prompts for word in words(re.sub(r"\[[^]]*\]", "", prompt))}

    assert placeholders == {
        "[placeholder: text that a moderator would call adult content]",
        "[placeholder: text that a moderator would call underage]",
        "[placeholder: text that a moderator would call not safe for work]",
    }
    assert set(demo.PLACEHOLDERS.values()) == placeholders
    assert said <= known


def words(text: str) -> list[str]:
    """Split a text into words without punctuation; the places of a template are none."""
    return re.sub(rf"{{\w+}}|[{re.escape(string.punctuation)}„“、]", " ", text).split()


def test_placeholders_stand_where_the_flags_are_raised() -> None:
    """A new prompt bears the placeholders of the categories that its latest log raises, and no others."""
    seen: set[str | None] = {None}
    checked = 0
    for demo_job in draw():
        prompt = demo_job.job[7]
        if prompt is not None and prompt not in seen and demo_job.logs:
            raised = [category for category, flag in zip(Category, demo_job.logs[-1][2:], strict=True) if flag]
            assert [category for category in Category if demo.PLACEHOLDERS[category] in prompt] == raised
            checked += 1
        seen.add(prompt)

    assert checked > 1000
