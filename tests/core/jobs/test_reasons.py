"""Reasons: how often each was given, which are new, and which may quote a prompt."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import Select, event, text
from sqlalchemy.dialects import postgresql

from core.counts.by_day import count_in_time
from core.counts.fact_upkeep import keep_facts
from core.db.databases import Databases
from core.jobs.access import JobAccess, make_access
from core.jobs.filter import JobFilter
from core.jobs.query import count_jobs
from core.jobs.reasons import ReasonCount, Reasons, _counted_query, count_reasons
from core.jobs.wall import Wall
from tests.support.documents import april
from tests.support.rows import NOON, insert_job, insert_log

MARCH = NOON - timedelta(days=31)
LONG_AGO = NOON - timedelta(days=400)


def add(connection: psycopg.Connection, reason: str | None, prompts: Sequence[str | None], **values: object) -> None:
    """Insert a rejected job with this reason for each of the prompts."""
    for prompt in prompts:
        insert_job(connection, reason=reason, prompt=prompt, is_prohibited=True, **values)


def distinct(number: int) -> list[str]:
    return [f"a prompt {each}" for each in range(number)]


def read(databases: Databases, job_filter: JobFilter | None = None, client: str | None = None) -> Reasons:
    with databases.source.transaction() as connection:
        return count_reasons(connection, job_filter or april(), make_access(databases, Wall(client)))


def test_reasons_are_counted_and_compared(databases: Databases, connection: psycopg.Connection) -> None:
    """The commonest comes first, with the jobs of the time before, and is new where no job before has it."""
    add(connection, "common", distinct(5) * 2)
    add(connection, "common", distinct(3), created_at=MARCH)
    add(connection, "back again", distinct(6))
    add(connection, "back again", distinct(1), created_at=LONG_AGO)
    add(connection, "fresh", distinct(5))
    add(connection, None, distinct(7))
    # A day after the range: it says nothing of what was known before.
    add(connection, "fresh", distinct(2), created_at=NOON + timedelta(days=20))

    assert read(databases) == Reasons(
        [
            ReasonCount("common", 10, 3, is_new=False),
            ReasonCount("back again", 6, 0, is_new=False),
            ReasonCount("fresh", 5, 0, is_new=True),
        ],
        hidden=0,
        hidden_jobs=0,
        jobs=21,
    )


def test_a_reason_that_may_quote_a_prompt_never_leaves_the_database(
    databases: Databases, connection: psycopg.Connection
) -> None:
    """Beside fewer than five different prompts, or longer than a filter takes, a reason is counted and not told."""
    add(connection, "four prompts", distinct(4) * 5)
    add(connection, "no prompts", [None] * 9)
    add(connection, "x" * 501, distinct(5))
    add(connection, "y" * 3_000_000, distinct(1))
    add(connection, "", distinct(5))
    add(connection, "x" * 500, distinct(5))

    found = read(databases)

    # An empty reason is none.
    assert found == Reasons([ReasonCount("x" * 500, 5, 0, is_new=True)], hidden=4, hidden_jobs=35, jobs=40)


def test_a_client_sees_its_own_reasons(databases: Databases, connection: psycopg.Connection) -> None:
    """Another client's jobs neither add to a number, nor make a reason a rule's name or an old one."""
    add(connection, "ours", distinct(5))
    add(connection, "shared", distinct(4))
    add(connection, "shared", distinct(9), client_id="other")
    add(connection, "theirs", distinct(9), client_id="other")
    add(connection, "ours", distinct(9), client_id="other", created_at=MARCH)

    assert read(databases, client="acme") == Reasons(
        [ReasonCount("ours", 5, 0, is_new=True)], hidden=1, hidden_jobs=4, jobs=9
    )
    assert read(databases, april(client_id="acme")) == read(databases, client="acme")


def test_reasons_are_those_of_the_filter(databases: Databases, connection: psycopg.Connection) -> None:
    """Whatever else a filter asks for holds for the numbers, and the link of a reason means as many jobs."""
    add(connection, "a rule", distinct(6), type="image")
    add(connection, "a rule", distinct(7), type="prompt")
    with databases.source.transaction() as opened:
        access = make_access(databases, Wall(None))

        (one,) = count_reasons(opened, april(type="image"), access).listed

        assert one.jobs == count_jobs(opened, april(type="image", reason="a rule"), access) == 6


@pytest.mark.parametrize("bounds", [{"from": "0001-01-01T00:00:00Z", "to": "0001-06-01T00:00:00Z"}, {}])
def test_no_reasons_and_no_time_before(databases: Databases, bounds: dict[str, str]) -> None:
    """Without jobs there is nothing to tell, also at the beginning of time."""
    assert read(databases, april(**bounds)) == Reasons([], hidden=0, hidden_jobs=0, jobs=0)


def test_where_the_jobs_are_not_ours_only_the_time_before_is_asked(
    databases: Databases, connection: psycopg.Connection
) -> None:
    """No index of reasons is relied on there: new is what the time before does not have."""
    add(connection, "back again", distinct(5))
    add(connection, "back again", distinct(1), created_at=LONG_AGO)
    access = JobAccess(Wall(None), databases.source.folding())

    with databases.source.transaction() as opened:
        asked: list[str] = []
        event.listen(opened, "before_cursor_execute", lambda _, __, statement, *___: asked.append(statement))
        found = count_reasons(opened, april(), access)

    assert found.listed == [ReasonCount("back again", 5, 0, is_new=True)]
    assert not [statement for statement in asked if "hashtextextended(jobs.reason" in statement]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"client_id": "acme"},
        {"decision": "pass"},
        {"client_id": "other", "decision": "reject"},
        {"category": "nsfw"},
        {"from": "2026-04-15T12:20:00Z", "to": "2026-04-15T14:40:00Z"},
        {"from": "2026-04-15T13:00:00Z", "client_id": "acme"},
    ],
)
def test_what_is_counted_beside_the_jobs_is_what_they_say(
    databases: Databases, connection: psycopg.Connection, asked: dict[str, str]
) -> None:
    """Counted by the hour, partly or not at all yet, and changed since: numbers are those of the jobs themselves."""
    for hours in (0, 1, 2, 30):
        for minutes in (0, 30):
            values = {"created_at": NOON + timedelta(hours=hours, minutes=minutes)}
            add(connection, "every hour", distinct(5), **values)
            add(connection, "every hour", distinct(6), client_id="other", **values)
    for job in [insert_job(connection, reason="with a log", prompt=each) for each in distinct(7)]:
        insert_log(connection, job, category_nsfw=True)
    connection.commit()

    def compare() -> None:
        direct, counted = (
            count_reasons(opened, april(**asked), replace(access, counts_reasons=counts)) for counts in (False, True)
        )
        assert counted == direct
        for each in direct.listed:
            asked_for = april(**asked, reason=each.reason)
            assert count_in_time(opened, asked_for, access, limit=1_000) == each.jobs
            assert count_in_time(opened, asked_for, replace(access, counts_reasons=False), limit=1_000) == each.jobs

    with databases.source.transaction() as opened:
        access = make_access(databases, Wall(None))
        assert access.counts_reasons
        compare()
        keep_facts(databases.ours)
        compare()
        connection.execute("UPDATE jobs SET reason = 'another' WHERE created_at > %s", [NOON + timedelta(hours=1)])
        connection.commit()
        compare()
        keep_facts(databases.ours)
        compare()


def test_counted_reasons_are_read_without_their_jobs(databases: Databases, connection: psycopg.Connection) -> None:
    """Where the hours are counted, no job is read; that a reason is a rule's name is known whatever is asked for."""
    add(connection, "a rule", distinct(5))
    add(connection, "a rule", distinct(1), client_id="other")
    connection.commit()
    keep_facts(databases.ours)
    with databases.source.transaction() as opened:
        access = make_access(databases, Wall(None))

        found = count_reasons(opened, april(client_id="other"), access)

        assert found.listed == [ReasonCount("a rule", 1, 0, is_new=True)]
        plan = opened.execute(text("EXPLAIN (ANALYZE) " + _print(_counted_query(april(), access)))).scalars()
        assert not [line for line in plan if " on jobs" in line and "never executed" not in line]


def _print(query: Select[Any]) -> str:
    return str(query.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})).replace(  # type: ignore[no-untyped-call]
        "ARRAY[]", "ARRAY[]::timestamptz[]"
    )
