"""Breakdowns per day: right with late logs, in any time zone, whether or not hours were counted ahead."""

import random
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from core.counts.by_day import count_in_time, count_matching
from core.counts.fact_upkeep import keep_facts
from core.counts.outcomes import Sums
from core.db.databases import Databases
from core.jobs.access import make_access
from core.jobs.fact_query import see_facts
from core.jobs.filter import Category, Cell, DateRange, Decision, JobFilter
from core.jobs.hidden_text import Texts
from core.jobs.pages import page_jobs
from core.jobs.query import count_jobs
from core.jobs.wall import Wall
from tests.support.days import sum_days
from tests.support.examples import examples
from tests.support.rows import NOON, insert_job, insert_large_jobs, insert_log

START = datetime(2026, 3, 25, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
NONE_FLAGGED = dict.fromkeys(Category, 0)


def days(
    databases: Databases,
    job_filter: JobFilter | None = None,
    *,
    zone: str = "UTC",
    client: str | None = None,
    by_facts: bool = True,
    is_snapshot: bool = True,
) -> dict[date, Sums]:
    """Sum the days of April, or of what a filter means, up."""
    asked = job_filter or JobFilter(range=DateRange(START, START + timedelta(days=30)))
    access = replace(make_access(databases, Wall(client)), has_facts=by_facts)
    with databases.source.transaction(is_snapshot=is_snapshot) as connection:
        return sum_days(connection, asked, access, ZoneInfo(zone))


def with_jobs(found: dict[date, Sums]) -> dict[date, Sums]:
    return {day: sums for day, sums in found.items() if sums.jobs}


def changes(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT count(*) FROM job_facts_unsettled").fetchone()
    assert row is not None
    return int(row[0])


def test_a_day_has_its_decisions_and_the_flags_of_the_latest_logs(
    databases: Databases, connection: psycopg.Connection
) -> None:
    """Of several logs the latest counts, and a job is counted once however many it has."""
    rejected = insert_job(connection, is_prohibited=True)
    insert_log(connection, rejected, category_underage=True)
    insert_log(connection, rejected, created_at=NOON + timedelta(days=3), category_nsfw=True)
    insert_job(connection, is_prohibited=None)
    passed = insert_job(connection, is_prohibited=False)
    insert_log(connection, passed, category_ai_adult_general=None)

    found = days(databases)

    assert len(found) == 30
    assert with_jobs(found) == {date(2026, 4, 15): Sums(3, 1, 1, 1, 2, 1, {**NONE_FLAGGED, Category.NSFW: 1})}
    assert next(iter(found.items())) == (date(2026, 3, 25), Sums(0, 0, 0, 0, 0, 0, NONE_FLAGGED))


def test_days_are_those_of_the_zone_also_where_clocks_change(
    databases: Databases, connection: psycopg.Connection
) -> None:
    """A day of 23 hours begins and ends where it does for those who live there."""
    for instant in ("2026-03-28T22:59:59Z", "2026-03-28T23:00:00Z", "2026-03-29T21:59:59Z", "2026-03-29T22:00:00Z"):
        insert_job(connection, created_at=datetime.fromisoformat(instant))
    keep_facts(databases.ours)

    found = with_jobs(days(databases, zone="Europe/Berlin"))

    assert [(day, sums.jobs) for day, sums in found.items()] == [
        (date(2026, 3, 28), 1),
        (date(2026, 3, 29), 2),
        (date(2026, 3, 30), 1),
    ]


def test_an_empty_range_has_no_days(databases: Databases) -> None:
    """From a moment to the same moment there is nothing to count."""
    assert days(databases, JobFilter(range=DateRange(START, START))) == {}


def test_a_year_has_all_its_days(databases: Databases) -> None:
    """The longest range has a row for each of its 366 days, or 367 where it begins within one."""
    year = JobFilter(range=DateRange(START, START + timedelta(days=366)))

    assert len(days(databases, year)) == 366
    assert len(days(databases, year, zone="Asia/Kathmandu")) == 367


def test_any_filter_can_be_broken_down(databases: Databases, connection: psycopg.Connection) -> None:
    """What facts do not tell apart is counted from the jobs."""
    insert_job(connection, type="image", is_prohibited=True)
    insert_job(connection, type="image")
    insert_job(connection, type="video", is_prohibited=True)
    keep_facts(databases.ours)
    images = JobFilter(range=DateRange(START, START + timedelta(days=30)), type=("image",), decision=(Decision.REJECT,))

    (sums,) = with_jobs(days(databases, images)).values()

    assert (sums.jobs, sums.rejected) == (1, 1)


def test_a_client_sees_its_own_jobs_only(databases: Databases, connection: psycopg.Connection) -> None:
    """The wall stands before counts as before the jobs."""
    insert_job(connection, client_id="acme")
    insert_job(connection, client_id="globex")
    keep_facts(databases.ours)
    other = replace(JobFilter(range=DateRange(START, START + timedelta(days=30))), client_id="globex")

    assert [sums.jobs for sums in with_jobs(days(databases, client="acme")).values()] == [1]
    assert with_jobs(days(databases, other, client="acme")) == {}
    assert [sums.jobs for sums in with_jobs(days(databases)).values()] == [2]


LATER: dict[str, Callable[[psycopg.Connection, UUID], Any]] = {
    "a late log": lambda connection, job: insert_log(connection, job, created_at=NOON, category_nsfw=True),
    "many late logs": lambda connection, job: _insert_logs(connection, job, 200),
    "changed logs": lambda connection, _: connection.execute("UPDATE moderation_logs SET category_underage = true"),
    "logs that are gone": lambda connection, _: connection.execute("DELETE FROM moderation_logs"),
    "a late decision": lambda connection, _: connection.execute("UPDATE jobs SET is_prohibited = true"),
    "another time": lambda connection, _: connection.execute("UPDATE jobs SET created_at = created_at - interval '1d'"),
    "a late job": lambda connection, _: insert_job(connection, created_at=NOON + timedelta(minutes=1)),
    "a job that is gone": lambda connection, _: connection.execute("DELETE FROM jobs"),
    "copied jobs": lambda connection, _: _copy_jobs(connection, 3),
    "emptied logs": lambda connection, _: connection.execute("TRUNCATE moderation_logs"),
    "emptied tables": lambda connection, _: connection.execute("TRUNCATE jobs, moderation_logs"),
}


def _copy_jobs(connection: psycopg.Connection, number: int) -> None:
    with connection.cursor().copy("COPY jobs (job_id, client_id, type, status, created_at) FROM STDIN") as copy:
        for each in range(number):
            copy.write_row((UUID(int=each), "acme", "prompt", "queued", NOON))


def _insert_logs(connection: psycopg.Connection, job: UUID, number: int) -> None:
    connection.execute(
        """
        INSERT INTO moderation_logs (job_id, created_at, category_ai_adult_general, category_underage, category_nsfw)
        SELECT %(job)s, %(noon)s, false, false, true FROM generate_series(1, %(number)s)
        """,
        {"job": job, "noon": NOON, "number": number},
    )


@pytest.mark.parametrize("later", LATER)
def test_what_happens_after_counting_counts(databases: Databases, connection: psycopg.Connection, later: str) -> None:
    """Whatever changes jobs or logs changes the counts at once, and what is added up later is the same."""
    job = insert_job(connection, is_prohibited=False)
    insert_log(connection, job, created_at=NOON - timedelta(minutes=5))
    # More than what is looked up one by one.
    _insert_logs(connection, insert_job(connection, created_at=NOON + timedelta(hours=1)), 150)
    keep_facts(databases.ours)

    LATER[later](connection, job)

    direct = days(databases, by_facts=False)
    assert days(databases) == direct
    keep_facts(databases.ours)
    assert changes(connection) == 0
    assert days(databases) == direct


@pytest.mark.parametrize("logs", [1, 150])
def test_logs_are_noted_without_reading_all_jobs(connection: psycopg.Connection, logs: int) -> None:
    """Also in a session, or a load in one transaction, that began when there were few jobs."""
    job = insert_job(connection)
    insert_large_jobs(connection, 1_000, size=100)
    _insert_logs(connection, job, 5_000)
    with connection.transaction():
        insert_large_jobs(connection, 20_000, size=500)
        before = _jobs_read_in_order(connection)

        _insert_logs(connection, job, logs)

        assert _jobs_read_in_order(connection) == before


def _jobs_read_in_order(connection: psycopg.Connection) -> int:
    """Count the jobs that this transaction has read without an index."""
    row = connection.execute("SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'jobs'").fetchone()
    assert row is not None
    return int(row[0])


def test_what_is_written_while_others_count_is_not_lost(
    databases: Databases, connection: psycopg.Connection, database_url: str
) -> None:
    """A job whose transaction ends after the counts of its hour were added up is counted."""
    insert_job(connection)
    with psycopg.connect(database_url) as other:
        insert_job(other)
        keep_facts(databases.ours)
        assert [sums.jobs for sums in with_jobs(days(databases)).values()] == [1]

    assert [sums.jobs for sums in with_jobs(days(databases)).values()] == [2]
    keep_facts(databases.ours)
    assert [sums.jobs for sums in with_jobs(days(databases)).values()] == [2]


def test_writers_of_one_moment_do_not_wait_for_each_other(connection: psycopg.Connection, database_url: str) -> None:
    """Noting a change takes no lock that another writer would want."""
    with psycopg.connect(database_url) as other:
        insert_job(other)

        insert_job(connection)

        other.rollback()
    assert changes(connection) == 0


def test_many_processes_may_count_at_once(databases: Databases, connection: psycopg.Connection) -> None:
    """Whoever comes second leaves it to the first; nothing is counted twice."""
    for number in range(200):
        insert_job(connection, created_at=NOON + timedelta(minutes=20 * number))
    threads = [threading.Thread(target=keep_facts, args=(databases.ours,)) for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    keep_facts(databases.ours)

    assert changes(connection) == 0
    assert days(databases) == days(databases, by_facts=False)


# Filters that ask for nothing but what counts are told apart by.
TOLD_APART = st.fixed_dictionaries(
    {},
    optional={
        "decision": st.sets(st.sampled_from(Decision), min_size=1).map(sorted).map(tuple),
        "cells": st.dictionaries(st.sampled_from(Category), st.sampled_from(Cell), max_size=2),
        "evaluated": st.sampled_from([None, True, False]),
    },
).flatmap(
    lambda values: st.sampled_from(
        [values, values | {"no_category": True}, values | {"category": (Category.UNDERAGE, Category.NSFW)}]
    )
)

moments = st.integers(0, 30 * 24 * 60).map(lambda minutes: START + timedelta(minutes=minutes, seconds=minutes % 60))


@examples(12)
@given(
    seed=st.integers(0, 1_000),
    bounds=st.tuples(moments, moments).map(sorted),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns"]),
    client=st.sampled_from([None, "acme", "globex"]),
    further=TOLD_APART,
)
def test_by_facts_or_not_the_result_is_the_same(
    databases: Databases,
    connection: psycopg.Connection,
    seed: int,
    bounds: list[datetime],
    zone: str,
    client: str | None,
    further: dict[str, Any],
) -> None:
    """Whatever was written, changed and counted in whatever order, the counts equal those of the jobs themselves."""
    rng = random.Random(seed)
    for _ in range(6):
        _do_something(rng, connection)
        if rng.random() < 0.5:
            keep_facts(databases.ours)
    asked = JobFilter(range=DateRange(*bounds), client_id=client, **further)

    found = days(databases, asked, zone=zone)

    assert found == days(databases, asked, zone=zone, by_facts=False)
    assert found == days(databases, asked, zone=zone, is_snapshot=False)
    access = make_access(databases, Wall(None))
    for is_snapshot in (True, False):
        with databases.source.transaction(is_snapshot=is_snapshot) as connection_of_pages:
            every = count_jobs(connection_of_pages, asked, access)
            for limit in (None, 5):
                counted = count_matching(connection_of_pages, asked, access, limit=limit)
                assert counted == min(every, limit or every)
    assert sum(sums.jobs for sums in found.values()) == every


@examples(8)
@given(seed=st.integers(0, 1_000), asked_for=TOLD_APART.filter(bool))
def test_what_becomes_unsettled_between_two_statements_is_in_neither(
    databases: Databases, connection: psycopg.Connection, seed: int, asked_for: dict[str, Any]
) -> None:
    """Page, count and days are those of the jobs in one snapshot, whoever writes before each statement of theirs."""
    rng = random.Random(seed)
    connection.isolation_level = None
    _do_something(rng, connection)
    for _ in range(2):
        keep_facts(databases.ours)
    asked = JobFilter(range=DateRange(START, START + timedelta(days=30)), **asked_for)
    access = make_access(databases, Wall(None))
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ

    def write(*_: Any) -> None:
        with connection.transaction():
            _do_something(rng, connection)
            connection.execute("UPDATE jobs SET is_prohibited = NOT is_prohibited WHERE random() < 0.2")

    for is_noted in (False, True):
        with databases.source.transaction(is_snapshot=True) as reading:
            assert see_facts(reading, access).are_settled is not is_noted
            event.listen(databases.source.engine, "before_cursor_execute", write)
            try:
                page = page_jobs(reading, asked, access, after=None, limit=20, texts=Texts.NONE)
                counted = count_in_time(reading, asked, access, limit=1_000)
                found = sum_days(reading, asked, access, BERLIN)
            finally:
                event.remove(databases.source.engine, "before_cursor_execute", write)
            alone = replace(access, has_facts=False)
            assert page == page_jobs(reading, asked, alone, after=None, limit=20, texts=Texts.NONE)
            assert counted == count_jobs(reading, asked, alone)
            assert found == sum_days(reading, asked, alone, BERLIN)
    with databases.source.transaction() as reading:
        assert not see_facts(reading, access).are_settled


def _do_something(rng: random.Random, connection: psycopg.Connection) -> None:
    """Write a few jobs with logs, or change some that are there."""
    match rng.randrange(5):
        case 0 | 1 | 2:
            for _ in range(10):
                job = insert_job(
                    connection,
                    client_id=rng.choice(["acme", "globex"]),
                    is_prohibited=rng.choice([True, False, None]),
                    created_at=START + timedelta(minutes=rng.randrange(30 * 24 * 60)),
                )
                for _ in range(rng.choice([0, 1, 1, 2])):
                    insert_log(connection, job, category_nsfw=rng.choice([True, False, None]))
        case 3:
            connection.execute(
                "UPDATE moderation_logs SET category_underage = NOT category_underage WHERE log_id %% 3 = %s",
                (rng.randrange(3),),
            )
        case _:
            connection.execute("DELETE FROM jobs WHERE get_byte(uuid_send(job_id), 0) < %s", (rng.randrange(60),))
