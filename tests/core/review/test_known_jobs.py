"""Settled jobs that come back: which these are, that nobody can tell, and that what is said of them is no review."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import psycopg
import pytest

from core.actor import COMMAND_LINE, Actor, Forbidden, Scope
from core.db.databases import Databases
from core.errors import InvalidParameter
from core.gold.turns import is_known, read_rate, set_rate
from core.jobs.wall import Wall
from core.quality.queue import claim_next_drawn
from core.quality.samples import Judging, Plan, draw_sample, find_sample
from core.review.known_jobs import claim_known
from core.review.queues import Queue, claim_next
from core.review.verdicts import (
    ChangedMeanwhile,
    Review,
    Verdict,
    find_last,
    find_own,
    list_others,
    record_review,
    take_back,
)
from tests.core.review.test_verdicts import ANN, BEN, CLEO, READER, job, review
from tests.support.documents import april
from tests.support.rows import insert_job
from tests.support.waiting import wait_for

DAN = Actor("user:dan", Wall(None), READER, "dan@example.com")
LEAD = Actor("user:lead", Wall(None), READER | {Scope.ADMIN_CONFIG}, "lead@example.com")


def settled(connection: psycopg.Connection) -> list[tuple[UUID, bool, str | None]]:
    rows = connection.execute(
        "SELECT job_id, should_reject, settled_by FROM gold_answers WHERE should_reject IS NOT NULL ORDER BY settled_at"
    )
    return rows.fetchall()


def disagree(databases: Databases, connection: psycopg.Connection, **values: object) -> UUID:
    """Make a rejected job that two of three people would have passed."""
    job_id = insert_job(connection, is_prohibited=True, **values)
    for by, verdict in ((ANN, Verdict.AGREE), (BEN, Verdict.OVERTURN), (CLEO, Verdict.OVERTURN)):
        review(databases, by, job_id, verdict)
    return job_id


def give(databases: Databases, by: Actor = DAN, *, at: float = 0.0) -> UUID | None:
    return claim_known(databases, by, april(), draw=lambda: at)


@pytest.fixture
def known(databases: Databases, connection: psycopg.Connection) -> UUID:
    """A settled job, where every second one is such."""
    set_rate(databases, COMMAND_LINE, 0.5)
    return disagree(databases, connection)


def test_a_third_decision_or_an_admins_settles(databases: Databases, connection: psycopg.Connection) -> None:
    """Two of three that disagreed, or an admin where somebody else has judged; taken back it is settled no more."""
    first, second, third = (insert_job(connection, is_prohibited=True) for _ in range(3))
    seen: list[Sequence[tuple[UUID, bool, str | None]]] = []
    for by, job_id, verdict in (
        (ANN, first, Verdict.AGREE),
        (BEN, first, Verdict.OVERTURN),
        (CLEO, first, Verdict.OVERTURN),
        (LEAD, second, Verdict.AGREE),
        (ANN, third, Verdict.UNSURE),
        (ANN, third, Verdict.OVERTURN),
    ):
        act = review(databases, by, job_id, verdict)
        seen.append(settled(connection))
    by_admin = review(databases, LEAD, third, Verdict.AGREE)
    agreed = settled(connection)
    take_back(databases, LEAD, by_admin)
    take_back(databases, ANN, act)

    assert seen == [[], [], *[[(first, False, None)]] * 4]
    assert agreed == [(first, False, None), (third, True, "user:lead")]
    assert settled(connection) == [(first, False, None)]


def test_two_who_judge_a_job_at_once_settle_it_together(databases: Databases, connection: psycopg.Connection) -> None:
    """Of two verdicts that nobody has seen yet when they are given, the second one finds the first."""
    job_id = insert_job(connection, is_prohibited=True)
    review(databases, ANN, job_id, Verdict.AGREE)
    waiting = (
        "SELECT FROM pg_locks JOIN pg_database ON oid = database WHERE datname = current_database() AND NOT granted"
    )

    with ThreadPoolExecutor(2) as threads, psycopg.connect(databases.ours.conninfo) as blocking:
        blocking.execute("LOCK TABLE audit_lock IN EXCLUSIVE MODE")
        judging = [threads.submit(review, databases, by, job_id, Verdict.OVERTURN) for by in (BEN, CLEO)]
        wait_for(lambda: connection.execute(waiting).rowcount == 2, "two verdicts that are not committed")
        blocking.commit()
    for each in judging:
        each.result()

    assert settled(connection) == [(job_id, False, None)]


def test_it_comes_as_often_as_was_set_and_to_whom_it_is_new(
    databases: Databases, connection: psycopg.Connection, known: UUID
) -> None:
    """By chance below the share; not to who has judged it lately, not twice, not from outside the filter or wall."""
    disagree(databases, connection, created_at="2026-06-01T00:00:00Z")
    other = disagree(databases, connection, client_id="other")
    of_acme = Actor("user:eve", Wall("acme"), READER)

    assert read_rate(databases.ours) == 0.5
    assert give(databases, at=0.5) is None
    assert give(databases, ANN) is None
    assert give(databases, of_acme) == known
    assert give(databases, of_acme) is None
    # The one is held for somebody else.
    assert give(databases) == other
    connection.execute("UPDATE reviews SET reviewed_at = now() - interval '31 days'")
    connection.execute("UPDATE review_claims SET ends_at = now()")
    assert give(databases, ANN) in (known, other)


def test_only_admins_set_the_share(databases: Databases) -> None:
    """Others are refused, and so is more than half; 0 gives none; the audit has it."""
    with pytest.raises(Forbidden):
        set_rate(databases, ANN, 0.1)
    with pytest.raises(InvalidParameter):
        set_rate(databases, LEAD, 0.51)
    set_rate(databases, LEAD, 0.125)

    with databases.ours.transaction() as asking:
        event = asking.exec_driver_sql("SELECT event, actor, details FROM audit_events").one()
    assert tuple(event) == ("known-share-set", "user:lead", {"per_mille": 125})
    assert read_rate(databases.ours) == 0.125


def test_what_is_said_is_no_review(databases: Databases, connection: psycopg.Connection, known: UUID) -> None:
    """It is in no table of reviews, settles nothing, shows nothing of the others, and can be changed and taken back."""
    connection.execute("UPDATE reviews SET reviewed_at = now() - interval '31 days'")
    before = connection.execute("SELECT * FROM reviews ORDER BY review_id").fetchall()
    assert give(databases, ANN) == known
    blind = find_own(databases.ours, ANN, known), find_last(databases.ours, ANN, known)

    act = record_review(databases, ANN, [job(databases, known)], Review(Verdict.AGREE, note="x"), shown=frozenset())
    with pytest.raises(ChangedMeanwhile):
        record_review(databases, ANN, [job(databases, known)], Review(Verdict.AGREE), shown=frozenset())
    own = find_own(databases.ours, ANN, known)
    others = list_others(databases.ours, ANN, known)
    wrong = connection.execute("SELECT verdict, is_right FROM gold_turns").fetchall()
    taken = take_back(databases, ANN, act)
    review(databases, ANN, known, Verdict.OVERTURN)

    assert blind == (None, None)
    assert own is not None
    assert (own.verdict, own.note, own.act_id, others) == ("agree", "x", act, [])
    assert (wrong, taken) == ([("agree", False)], 1)
    assert connection.execute("SELECT verdict, is_right FROM gold_turns").fetchall() == [("overturn", True)]
    assert connection.execute("SELECT * FROM reviews ORDER BY review_id").fetchall() == before
    assert settled(connection) == [(known, False, None)]


def test_a_job_that_comes_as_any_other_gets_reviews(
    databases: Databases, connection: psycopg.Connection, known: UUID
) -> None:
    """Once it stands in a queue or a sample for the person, and after twelve hours, their verdict is a review."""
    connection.execute("DELETE FROM reviews WHERE person <> 'user:ann'")
    assert give(databases) == known
    assert is_known(databases.ours, DAN, known)
    turn = claim_next(databases, DAN, april(), Queue.SECOND)
    assert turn is not None
    assert (turn.job_id, is_known(databases.ours, DAN, known)) == (known, False)
    review(databases, DAN, known, Verdict.OVERTURN)
    eve = Actor("user:eve", Wall(None), READER)
    # Two who disagree have settled nothing.
    assert settled(connection) == []
    connection.execute("UPDATE gold_answers SET should_reject = false")
    connection.execute("UPDATE review_claims SET ends_at = now()")
    assert give(databases, eve) == known
    connection.execute("UPDATE gold_turns SET given_at = now() - interval '13 hours'")
    review(databases, eve, known, Verdict.OVERTURN)

    persons = {person for (person,) in connection.execute("SELECT person FROM reviews WHERE superseded_at IS NULL")}
    assert persons == {"user:ann", "user:dan", "user:eve"}


def test_a_sample_keeps_its_jobs_for_itself(databases: Databases, connection: psycopg.Connection, known: UUID) -> None:
    """A job of a sample that is not finished comes back to nobody; given before, it becomes one of the sample's."""
    assert give(databases) == known
    sample_id = draw_sample(databases, COMMAND_LINE, april(), Plan("a", 1), Judging(opinions=4))
    sample = find_sample(databases, Wall(None), sample_id)
    assert sample is not None

    assert claim_next_drawn(databases, DAN, sample) == (known, 1)
    assert not is_known(databases.ours, DAN, known)
    connection.execute("UPDATE review_claims SET ends_at = now()")
    assert give(databases, Actor("user:eve", Wall(None), READER)) is None
