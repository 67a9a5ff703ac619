"""Demo jobs: the same every time, believable, and harmless."""

import re
import string
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from core.db.databases import Databases
from core.db.startup import open_databases
from core.errors import NotPossible
from core.intake import demo, demo_texts
from core.intake.demo import has_jobs, seed_if_empty, seed_jobs
from core.intake.demo_jobs import CLIENTS, DemoJob, generate
from core.jobs.filter import STATUSES
from core.settings import Settings
from tests.support.rows import insert_job

UNTIL = datetime(2026, 5, 1, tzinfo=UTC)


def stored(connection: psycopg.Connection) -> list[list[Any]]:
    """Return all jobs and all logs as they are stored."""
    tables = {"jobs": "job_id", "moderation_logs": "log_id"}
    return [
        connection.execute(f"SELECT * FROM {table} ORDER BY {key}".encode()).fetchall() for table, key in tables.items()
    ]


@cache
def draw(number: int = 4000) -> tuple[DemoJob, ...]:
    return tuple(generate(number, seed=1, until=UNTIL))


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
    """The rows of seed 1 are fixed, so that screenshots and benchmarks stay comparable."""
    rows = repr(list(generate(1000, seed=1, until=UNTIL)))

    assert sha256(rows.encode()).hexdigest() == "7625c10dc76a9bfc97ddc32418c2d6ba82e2221f5635d59f9a39d00dff2f57d0"


def test_jobs_cover_the_period_before_the_end(databases: Databases, connection: psycopg.Connection) -> None:
    """Jobs are of the 120 days before `until`, which itself is no longer of them."""
    seed_jobs(databases, 1000, seed=1, until=UNTIL)

    times = [job[5] for job in stored(connection)[0]]
    assert UNTIL - timedelta(days=120) <= min(times) < UNTIL - timedelta(days=119)
    assert UNTIL - timedelta(days=1) < max(times) < UNTIL


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let few jobs make several batches."""
    monkeypatch.setattr(demo, "BATCH", 50)


@pytest.mark.usefixtures("small_batches")
def test_progress_adds_up(databases: Databases) -> None:
    """`advance` hears of every job once."""
    steps: list[int] = []

    seed_jobs(databases, 101, seed=1, until=UNTIL, advance=steps.append)

    assert steps == [50, 50, 1]


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


@pytest.mark.usefixtures("small_batches")
def test_seeding_is_all_or_nothing(databases: Databases, connection: psycopg.Connection) -> None:
    """Who stops in the middle finds the jobs that were there before."""
    seed_jobs(databases, 10, seed=1, until=UNTIL)
    before = stored(connection)

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        seed_jobs(databases, 101, seed=2, until=UNTIL, advance=stop)

    assert stored(connection) == before


def test_has_jobs_tells_whether_there_is_any(databases: Databases) -> None:
    """An empty database has no jobs, a seeded one has."""
    empty = has_jobs(databases)
    seed_jobs(databases, 1, seed=1, until=UNTIL)

    assert [empty, has_jobs(databases)] == [False, True]


def test_about_one_decided_job_in_nine_is_rejected() -> None:
    """Most jobs are decided, and about one of nine of those is rejected."""
    decisions = Counter(job.job[4] for job in draw())

    decided = decisions[True] + decisions[False]
    assert 0.1 < decisions[True] / decided < 0.135
    assert 0.02 < decisions[None] / decisions.total() < 0.12


def test_jobs_are_of_every_kind() -> None:
    """Every client, type, status and shape of text occurs that a page or an export has to show."""
    drawn = draw()
    jobs = [demo_job.job for demo_job in drawn]
    prompts = [job[7] for job in jobs]
    texts = [prompt for prompt in prompts if prompt is not None]
    flags = Counter(flag for demo_job in drawn for log in demo_job.logs for flag in log[2:])

    assert {job[1] for job in jobs} == {client.name for client in CLIENTS}
    assert all(client.name.startswith("demo-") for client in CLIENTS)
    assert {job[2] for job in jobs} == {"prompt", "pre", "post", "image", "video"}
    assert {job[3] for job in jobs} == set(STATUSES)
    assert {len(demo_job.logs) for demo_job in drawn} == {0, 1, 2}
    assert flags.keys() == {True, False, None}
    assert None in prompts
    assert {job[8] for job in jobs} >= {None, "", *demo_texts.REASONS.values(), *demo_texts.OTHER_REASONS}
    for part in ('"', ",", "\n", "\r\n", "🦊", "ا", "י", "日本", "É", *(f"\0{first}" for first in "=+-@")):
        assert any(part in "\0" + text for text in texts), part
    assert max(map(len, texts)) > 3000


def test_jobs_do_not_contradict_themselves() -> None:
    """A job completes after it was created, is decided only once it ended, and has logs only from then on."""
    for demo_job in draw():
        _, _, kind, status, is_prohibited, created_at, completed_at, _, reason = demo_job.job
        assert (completed_at is not None) == (status in ("completed", "failed"))
        assert completed_at is None or completed_at > created_at
        assert is_prohibited is None or completed_at is not None
        assert (is_prohibited is True) == bool(reason) or kind not in ("prompt", "pre")
        assert all(completed_at is not None and log[1] >= completed_at for log in demo_job.logs)


def test_prompts_have_reasons_and_pictures_have_flags() -> None:
    """What checks prompts says why and flags nothing; what looks at pictures flags and gives no reason."""
    for demo_job in draw():
        if demo_job.job[2] in ("prompt", "pre"):
            assert demo_job.logs == []
        else:
            assert demo_job.job[8] is None


def test_the_service_has_days_and_nights() -> None:
    """Weekends have fewer jobs than weekdays, and the quietest hour has less than half of the busiest one."""
    times = [demo_job.job[5] for demo_job in draw(20_000)]
    weekdays = Counter(time.weekday() >= 5 for time in times)
    hours = Counter(time.hour for time in times)

    assert weekdays[True] / 2 < 0.9 * weekdays[False] / 5
    assert min(hours.values()) < max(hours.values()) / 2


def test_a_wave_comes_from_one_client() -> None:
    """Nine days before the end one client sends nearly the same prompt for three hours."""
    wave = [demo_job.job for demo_job in draw(20_000) if (demo_job.job[7] or "").startswith(demo_texts.WAVE[:-17])]

    assert {job[1] for job in wave} == {"demo-driftwood"}
    assert {(UNTIL - job[5]).days for job in wave} == {8}
    assert max(job[5] for job in wave) - min(job[5] for job in wave) < timedelta(hours=3)
    assert len(wave) > 25


def test_a_rule_appears() -> None:
    """A reason is seen in the last six days only."""
    times = [demo_job.job[5] for demo_job in draw(20_000) if demo_job.job[8] == demo_texts.NEW_REASON]

    assert len(times) > 5
    assert min(times) >= UNTIL - timedelta(days=6)


def test_logs_are_missing_on_one_day() -> None:
    """On the fourth day before the end most of what should have a log has none; on others nearly all has one."""
    ended = [job for job in draw(20_000) if job.job[6] is not None and job.job[2] not in ("prompt", "pre")]
    lacking = {
        is_day: [not job.logs for job in ended if ((UNTIL - job.job[5]).days == 3) is is_day]
        for is_day in (True, False)
    }

    assert sum(lacking[True]) / len(lacking[True]) > 0.6
    assert sum(lacking[False]) / len(lacking[False]) < 0.05


def test_one_rule_is_wrong_most_of_the_time() -> None:
    """Most of what one rule rejects bears no placeholder; of all other rejections few do, and few passes bear one."""
    is_wrong: dict[str | bool, list[bool]] = {}
    for demo_job in draw(20_000):
        is_prohibited, prompt, reason = demo_job.job[4], demo_job.job[7], demo_job.job[8]
        if is_prohibited is not None and prompt is not None:
            about = reason if reason == demo_texts.WRONG_REASON else is_prohibited
            is_wrong.setdefault(about, []).append(("[placeholder" in prompt) is not is_prohibited)
    shares = {about: sum(wrong) / len(wrong) for about, wrong in is_wrong.items()}

    assert shares[demo_texts.WRONG_REASON] > 0.7
    assert shares[True] < 0.1
    assert 0 < shares[False] < 0.03


def test_some_prompts_come_again() -> None:
    """About one prompt in six is one that came before, as people try again."""
    prompts = [job.job[7] for job in draw() if job.job[7] is not None]

    assert 0.1 < 1 - len(set(prompts)) / len(prompts) < 0.5


def test_prompts_are_harmless() -> None:
    """A prompt consists of the listed phrases only; what a category stands for is a neutral placeholder."""
    phrases = [*demo_texts.REQUESTS, *demo_texts.SUBJECTS, *demo_texts.STYLES, *demo_texts.LONGER, demo_texts.WAVE]
    known = {word for phrase in phrases for word in words(phrase)}
    prompts = [demo_job.job[7] or "" for demo_job in draw()]

    placeholders = {found for prompt in prompts for found in re.findall(r"\[[^]]*\]", prompt)}
    said = {word for prompt in prompts for word in words(re.sub(r"\[[^]]*\]|number \d+\.", "", prompt))}

    assert placeholders == {
        "[placeholder: text that a moderator would call adult content]",
        "[placeholder: text that a moderator would call underage]",
        "[placeholder: text that a moderator would call not safe for work]",
        "[placeholder: text that a moderator would call forbidden]",
    }
    assert {*demo_texts.PLACEHOLDERS.values(), demo_texts.OTHER_PLACEHOLDER} == placeholders
    assert said <= known


def words(text: str) -> list[str]:
    """Split a text into words without punctuation; the places of a template are none."""
    return re.sub(rf"{{\w+}}|[{re.escape(string.punctuation)}„“、]", " ", text).split()


def test_of_several_first_starts_one_seeds(databases: Databases, settings: Settings) -> None:
    """Processes that find no job at the same moment make the demo jobs once, and none of them fails."""
    begun: list[None] = []
    failures: list[BaseException] = []
    opened = [open_databases(settings) for _ in range(4)]

    def start(mine: Databases) -> None:
        try:
            seed_if_empty(mine, 2000, until=UNTIL, begin=lambda: begun.append(None))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=start, args=(mine,)) for mine in opened]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for mine in opened:
        mine.close()

    assert failures == []
    assert len(begun) == 1
    with databases.ours.transaction() as transaction:
        assert transaction.execute(text("SELECT count(*) FROM jobs")).scalar_one() == 2000
