"""A sample as a queue: each job so often as was asked for, never twice by one person, in the order of the draw."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from uuid import UUID

import psycopg

from core.actor import COMMAND_LINE, Actor
from core.db.databases import Databases
from core.quality.queue import claim_next_drawn, count_open
from core.quality.samples import Judging, Plan, draw_sample, find_sample
from core.review.claims import release_claim
from core.review.participants import why_not
from core.review.verdicts import Verdict
from tests.core.quality.test_answers import ANN, BOB, EVERYBODY, judge
from tests.core.quality.test_samples import drawn
from tests.support.documents import april
from tests.support.rows import insert_job


def draw(databases: Databases, size: int, judging: Judging) -> UUID:
    return draw_sample(databases, COMMAND_LINE, april(), Plan("a", size), judging)


def judge_all(databases: Databases, by: Actor, sample_id: UUID) -> list[UUID]:
    """Judge what the queue gives until it gives nothing."""
    sample, done, place = find_sample(databases, EVERYBODY, sample_id), list[UUID](), 0
    assert sample is not None
    while (found := claim_next_drawn(databases, by, sample, after=place)) is not None:
        job_id, place = found
        judge(databases, by, job_id, Verdict.AGREE)
        release_claim(databases.ours, by, job_id)
        done.append(job_id)
    return done


def test_jobs_come_in_the_order_of_the_draw_and_once_for_each_person(
    databases: Databases, connection: psycopg.Connection
) -> None:
    """With two opinions each job goes to both, in the order of the draw; a third person gets none."""
    for _ in range(5):
        insert_job(connection, is_prohibited=True)
    sample_id = draw(databases, 5, Judging(opinions=2))

    found = [judge_all(databases, person, sample_id) for person in (ANN, BOB, Actor("user:cy", EVERYBODY, ANN.scopes))]

    assert found == [drawn(connection, sample_id)] * 2 + [[]]


def test_nobody_gets_what_somebody_else_is_at(databases: Databases, connection: psycopg.Connection) -> None:
    """Two people at once get different jobs; what is left to others comes again; what is counted is what is open."""
    for _ in range(3):
        insert_job(connection, is_prohibited=True)
    sample_id = draw(databases, 3, Judging())
    sample = find_sample(databases, EVERYBODY, sample_id)
    assert sample is not None
    first, second, third = drawn(connection, sample_id)

    assert claim_next_drawn(databases, ANN, sample) == (first, 1)
    assert claim_next_drawn(databases, BOB, sample) == (second, 2)
    assert claim_next_drawn(databases, BOB, sample, after=2, leaving=second) == (third, 3)
    release_claim(databases.ours, ANN, first)
    assert claim_next_drawn(databases, BOB, sample, after=3, leaving=third) == (first, 1)
    assert count_open(databases, ANN, sample) == 3
    judge(databases, ANN, first, Verdict.AGREE)
    assert count_open(databases, BOB, sample) == 2


def test_jobs_that_are_gone_or_changed_are_passed_over(databases: Databases, connection: psycopg.Connection) -> None:
    """A job that was deleted and one that was decided anew are not given to anybody, nor is another one for them."""
    gone, changed, other = (insert_job(connection, is_prohibited=True) for _ in range(3))
    insert_job(connection, is_prohibited=True)
    sample_id = draw(databases, 3, Judging())
    chosen = drawn(connection, sample_id)
    connection.execute("DELETE FROM jobs WHERE job_id = %s", (chosen[0],))
    connection.execute("UPDATE jobs SET is_prohibited = false WHERE job_id = %s", (chosen[1],))

    assert judge_all(databases, ANN, sample_id) == [chosen[2]]
    assert {gone, changed, other} & set(chosen)


def test_people_at_once_judge_each_job_as_often_as_was_asked_for(
    databases: Databases, connection: psycopg.Connection
) -> None:
    """Eight people at once: each of 40 jobs has two opinions, of two people."""
    for _ in range(40):
        insert_job(connection, is_prohibited=True)
    sample_id = draw(databases, 40, Judging(opinions=2))
    people = [Actor(f"user:{number}", EVERYBODY, ANN.scopes) for number in range(8)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda person: judge_all(databases, person, sample_id), people))

    given = connection.execute("SELECT job_id, person FROM reviews WHERE superseded_at IS NULL").fetchall()
    assert Counter(Counter(job_id for job_id, _ in given).values()) == {2: 40}
    assert len(set(given)) == 80


def test_only_those_who_take_part_judge_and_until_the_last_day(
    databases: Databases, connection: psycopg.Connection
) -> None:
    """The last day is over with its end in UTC; somebody who was not chosen is told whom to ask."""
    insert_job(connection, is_prohibited=True)
    judging = Judging(last_day=date(2026, 5, 3), people=(ANN.name,))
    sample = find_sample(databases, EVERYBODY, draw(databases, 1, judging))
    assert sample is not None

    assert why_not(sample, ANN, datetime(2026, 5, 3, 23, 59, tzinfo=UTC)) is None
    assert "until 2026-05-03" in str(why_not(sample, ANN, datetime(2026, 5, 4, tzinfo=UTC)))
    assert "do not take part" in str(why_not(sample, BOB, datetime(2026, 5, 3, tzinfo=UTC)))
