"""One job: its text, its logs, its neighbours, and the jobs with the same prompt."""

from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from core.db.databases import Databases
from core.jobs.access import make_access
from core.jobs.filter import DateRange, Decision, JobFilter
from core.jobs.job import JobTexts, find_job, list_logs, read_texts
from core.jobs.pages import find_newer, find_older
from core.jobs.query import PageKey
from core.jobs.same_prompt import MOST_SAME, SamePrompt, find_same_prompt
from core.jobs.wall import Wall, list_clients
from tests.support.rows import NOON, insert_job, insert_log

ALL = Wall(None)
DAY = JobFilter(range=DateRange(NOON - timedelta(hours=12), NOON + timedelta(hours=12)))


def test_a_job_is_found_behind_its_wall_only(databases: Databases, connection: psycopg.Connection) -> None:
    """Staff and its own client find a job, its texts, logs and repeats; another client finds nothing."""
    job_id = insert_job(connection, client_id="acme", prompt="a harmless prompt", reason="")
    insert_log(connection, job_id, category_nsfw=True)

    with databases.source.transaction() as asking:
        found = {wall: find_job(asking, job_id, Wall(wall)) for wall in (None, "acme", "other")}
        texts = {wall: read_texts(asking, job_id, Wall(wall), longest=10) for wall in (None, "acme", "other")}
        logs = {wall: len(list_logs(asking, job_id, Wall(wall))) for wall in (None, "acme", "other")}
        same = {wall: find_same_prompt(asking, job_id, Wall(wall)) for wall in (None, "acme", "other")}

    job = found[None]
    assert job is not None
    assert (job.job_id, job.category_nsfw, job.evaluated, "prompt" in job._fields) == (job_id, True, True, False)
    assert found == {None: job, "acme": job, "other": None}
    shown = JobTexts("a harmless", 17, "", 0)
    assert texts == {None: shown, "acme": shown, "other": None}
    assert logs == {None: 1, "acme": 1, "other": 0}
    once = SamePrompt([("acme", 1)], NOON, NOON, is_complete=True)
    assert same == {None: once, "acme": once, "other": None}


def test_a_job_that_does_not_exist_is_none(databases: Databases) -> None:
    """Nothing is found of a job that there is not."""
    with databases.source.transaction() as asking:
        assert find_job(asking, uuid4(), ALL) is None
        assert read_texts(asking, uuid4(), ALL, longest=None) is None
        assert list_logs(asking, uuid4(), ALL) == []
        assert find_same_prompt(asking, uuid4(), ALL) is None


def test_texts_are_cut_and_measured_in_characters(databases: Databases, connection: psycopg.Connection) -> None:
    """Characters, not bytes, are counted; without a limit all of them come."""
    long, without = insert_job(connection, prompt="🦊" * 30), insert_job(connection, prompt=None)

    with databases.source.transaction() as asking:
        assert read_texts(asking, long, ALL, longest=20) == JobTexts("🦊" * 20, 30, None, 0)
        assert read_texts(asking, long, ALL, longest=None) == JobTexts("🦊" * 30, 30, None, 0)
        assert read_texts(asking, without, ALL, longest=20) == JobTexts(None, 0, None, 0)


def test_logs_stand_in_their_order(databases: Databases, connection: psycopg.Connection) -> None:
    """By time, then by id: the last one is the one that counts."""
    job_id = insert_job(connection)
    insert_log(connection, job_id, created_at=NOON + timedelta(seconds=5), category_underage=True)
    insert_log(connection, job_id, created_at=NOON)
    insert_log(connection, job_id, created_at=NOON + timedelta(seconds=5), category_underage=None)

    with databases.source.transaction() as asking:
        logs = list_logs(asking, job_id, ALL)
        job = find_job(asking, job_id, ALL)

    assert [log.category_underage for log in logs] == [False, True, None]
    assert job is not None
    assert job.category_underage is None


def test_neighbours_are_those_of_the_filter(databases: Databases, connection: psycopg.Connection) -> None:
    """Older and newer jobs of a filter, also between jobs of one instant, and none beyond its ends."""
    ids = sorted(uuid4() for _ in range(3))
    for job_id in ids:
        insert_job(connection, job_id=job_id, is_prohibited=True)
    insert_job(connection, created_at=NOON + timedelta(seconds=1), is_prohibited=False)
    last = insert_job(connection, created_at=NOON + timedelta(seconds=2), is_prohibited=True)
    rejected = JobFilter(range=DAY.range, decision=(Decision.REJECT,))
    access = make_access(databases, ALL)

    with databases.source.transaction() as asking:

        def walk(start: PageKey, step: object) -> list[UUID]:
            passed, key = [start.job_id], step(asking, rejected, access, start)  # type: ignore[operator]
            while key is not None:
                passed.append(key.job_id)
                key = step(asking, rejected, access, key)  # type: ignore[operator]
            return passed

        down = walk(PageKey(NOON + timedelta(seconds=2), last), find_older)
        up = walk(PageKey(NOON, ids[0]), find_newer)

    assert down == [last, *reversed(ids)]
    assert up == [*ids, last]


def test_the_same_prompt_is_counted_for_each_client(databases: Databases, connection: psycopg.Connection) -> None:
    """How often, by whom, first and last; another case, a space more or no prompt at all is another prompt."""
    for number, client in enumerate(("acme", "beta", "acme")):
        job_id = insert_job(
            connection, client_id=client, prompt="a harmless prompt", created_at=NOON + timedelta(days=number)
        )
    for other in ("A harmless prompt", "a harmless prompt ", "", None):
        insert_job(connection, prompt=other)

    with databases.source.transaction() as asking:
        same = find_same_prompt(asking, job_id, ALL)

    assert same == SamePrompt([("acme", 2), ("beta", 1)], NOON, NOON + timedelta(days=2), is_complete=True)
    assert same.total == 3


def test_very_many_of_the_same_prompt_are_not_counted_to_the_end(
    databases: Databases, connection: psycopg.Connection
) -> None:
    """Beyond 10,000 it is said that there are more."""
    connection.execute(
        """
        INSERT INTO jobs (job_id, client_id, type, status, created_at, prompt)
        SELECT gen_random_uuid(), 'acme', 'prompt', 'queued', %s, 'the same' FROM generate_series(1, %s)
        """,
        (NOON, MOST_SAME + 5),
    )
    job_id = insert_job(connection, prompt="the same")

    with databases.source.transaction() as asking:
        same = find_same_prompt(asking, job_id, ALL)

    assert same is not None
    assert (same.total, same.is_complete) == (MOST_SAME + 1, False)


@pytest.mark.parametrize(
    ("wall", "limit", "found"), [(None, 9, ["", "a", "b", "ö"]), (None, 2, ["", "a"]), ("b", 9, ["b"])]
)
def test_clients_are_listed_once_each(
    databases: Databases, connection: psycopg.Connection, wall: str | None, limit: int, found: list[str]
) -> None:
    """Each client that has a job, by name; behind a wall only its own."""
    for client in ("b", "a", "ö", "b", ""):
        insert_job(connection, client_id=client)

    with databases.source.transaction() as asking:
        assert list_clients(asking, Wall(wall), limit=limit) == found
