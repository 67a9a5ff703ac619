"""Answers: what verdicts on a sample say of all jobs, held against what is true of them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import event

from core.actor import COMMAND_LINE, Actor, Scope
from core.db.databases import Databases
from core.intake.demo import seed_jobs
from core.intake.demo_texts import WRONG_REASON
from core.jobs.filter import Category
from core.jobs.job import find_job
from core.jobs.strata import Stratification
from core.jobs.wall import Wall
from core.quality.answers import Answer, answer_sample
from core.quality.samples import Plan, draw_sample
from core.review.verdicts import Review, Verdict, record_review, take_back
from tests.core.quality.test_samples import drawn
from tests.support.documents import april
from tests.support.rows import insert_job, insert_log

EVERYBODY = Wall(None)
BY = ("decision",)
ANN, BOB = (Actor(f"user:{name}", EVERYBODY, frozenset({Scope.JOB_READ})) for name in ("ann", "bob"))


def judge(
    databases: Databases,
    by: Actor,
    job_id: UUID,
    verdict: Verdict,
    categories: frozenset[Category] | None = None,
    note: str = "a note",
) -> UUID:
    return judge_alike(databases, by, [job_id], verdict, categories, note)


def judge_alike(
    databases: Databases,
    by: Actor,
    job_ids: Sequence[UUID],
    verdict: Verdict,
    categories: frozenset[Category] | None = None,
    note: str = "a note",
) -> UUID:
    """Judge several jobs in one act, as a prompt that came again: a hundredth of a second, and not one for each."""
    with databases.source.transaction() as connection:
        found = [find_job(connection, job_id, EVERYBODY) for job_id in job_ids]
    jobs = [job for job in found if job is not None]
    assert len(jobs) == len(job_ids)
    return record_review(databases, by, jobs, Review(verdict, categories, note))


@pytest.fixture
def population(connection: psycopg.Connection) -> dict[bool, list[UUID]]:
    """Ten rejected jobs and forty that passed."""
    return {
        decision: [insert_job(connection, is_prohibited=decision) for _ in range(number)]
        for decision, number in ((True, 10), (False, 40))
    }


def draw_all(databases: Databases) -> UUID:
    return draw_sample(databases, COMMAND_LINE, april(), Plan("all", 50))


def test_what_is_judged_while_a_sample_is_read_is_in_all_of_its_figures_or_in_none(
    databases: Databases, population: dict[bool, list[UUID]]
) -> None:
    """Opinions, versions and mistakes are read one after the other, and are of one moment."""
    sample_id = draw_all(databases)
    # Once strata and opinions were read.
    is_time = iter([False, True])

    def judge_some(*_: object) -> None:
        if next(is_time, False):
            judge_alike(databases, ANN, population[True], Verdict.AGREE)

    event.listen(databases.ours.engine, "after_cursor_execute", judge_some)

    found, later = answer_sample(databases, sample_id, BY), answer_sample(databases, sample_id, BY)
    assert (found.judged, found.versions.without) == (0, 0)
    assert (later.judged, later.versions.without) == (10, 10)


def test_what_was_judged_whole_is_exact(databases: Databases, population: dict[bool, list[UUID]]) -> None:
    """Two of ten rejections wrong, four of forty passes: 20 %, 10 %, and 8 of 12 that should be rejected are."""
    sample_id = draw_all(databases)
    for decision, wrong in ((True, 2), (False, 4)):
        judge_alike(databases, ANN, population[decision][:wrong], Verdict.OVERTURN)
        judge_alike(databases, ANN, population[decision][wrong:], Verdict.AGREE)

    answer = answer_sample(databases, sample_id, BY)

    assert (answer.drawn, answer.judged) == (50, 50)
    for figure, expected in (
        (answer.wrong_rejections, 0.2),
        (answer.precision, 0.8),
        (answer.wrong_passes, 0.1),
        (answer.recall, 8 / 12),
    ):
        found = figure.bounds
        assert found is not None
        assert (found.lower.share, found.low, found.high) == pytest.approx((expected,) * 3)


def test_a_sample_that_is_begun_says_what_it_can(databases: Databases, population: dict[bool, list[UUID]]) -> None:
    """With rejections judged only, there is an answer on these, and none on passes nor on recall."""
    sample_id = draw_all(databases)
    judge_alike(databases, ANN, population[True][:5], Verdict.AGREE)

    answer = answer_sample(databases, sample_id, BY)

    assert answer.judged == 5
    assert (answer.wrong_passes.bounds, answer.recall.bounds) == (None, None)
    assert answer.wrong_passes.why_not == "no such job is judged yet"
    found = answer.wrong_rejections.bounds
    assert found is not None
    assert found.low == 0
    assert 0.1 < found.high < 0.5


@pytest.mark.parametrize("second", [Verdict.UNSURE, Verdict.ESCALATE, Verdict.OVERTURN])
def test_what_is_unclear_gives_bounds(
    databases: Databases, population: dict[bool, list[UUID]], second: Verdict
) -> None:
    """A job of which somebody is not sure, or on which two disagree, counts as right in one bound only."""
    sample_id = draw_all(databases)
    judge_alike(databases, ANN, population[True], Verdict.AGREE)
    judge(databases, BOB, population[True][0], second)

    found = answer_sample(databases, sample_id, BY).wrong_rejections.bounds

    assert found is not None
    assert (found.lower.share, found.upper.share) == (0.0, 0.1)


@pytest.mark.parametrize("settled_by", ["a third person", "an admin"])
def test_what_is_settled_is_clear(databases: Databases, population: dict[bool, list[UUID]], settled_by: str) -> None:
    """Of two who disagree the one is right with whom a third person agrees, or an admin; also where one is not sure."""
    sample_id = draw_all(databases)
    judge_alike(databases, ANN, population[True], Verdict.AGREE)
    first, second = population[True][:2]
    judge(databases, BOB, first, Verdict.OVERTURN)
    judge(databases, BOB, second, Verdict.UNSURE)

    unclear = answer_sample(databases, sample_id, BY).wrong_rejections
    if settled_by == "an admin":
        admin = Actor("user:boss", EVERYBODY, frozenset(Scope))
        judge(databases, admin, first, Verdict.OVERTURN)
        judge(databases, admin, second, Verdict.AGREE)
    else:
        third, fourth = (Actor(f"user:{name}", EVERYBODY, frozenset({Scope.JOB_READ})) for name in ("cat", "dan"))
        judge(databases, third, first, Verdict.OVERTURN)
        for person, verdict in ((third, Verdict.OVERTURN), (fourth, Verdict.AGREE)):
            judge(databases, person, second, verdict)
    settled = answer_sample(databases, sample_id, BY).wrong_rejections

    assert (set(unclear.unclear), unclear.faults) == ({first, second}, ())
    assert (settled.unclear, settled.faults) == ((), (first,))


def test_only_verdicts_that_count_are_counted(databases: Databases, population: dict[bool, list[UUID]]) -> None:
    """A verdict that was taken back, or replaced by the same person's later one, says nothing any more."""
    sample_id = draw_all(databases)
    first, second = population[True][:2]
    take_back(databases, ANN, judge(databases, ANN, first, Verdict.OVERTURN))
    judge(databases, ANN, second, Verdict.OVERTURN)
    judge(databases, ANN, second, Verdict.AGREE)

    answer = answer_sample(databases, sample_id, BY)

    assert answer.judged == 1
    assert [(one.judged, one.wrong.faults, one.wrong.unclear) for one in answer.strata] == [(0, (), ()), (1, (), ())]


def test_a_decision_that_was_changed_is_the_one_that_was_drawn(
    databases: Databases, connection: psycopg.Connection, population: dict[bool, list[UUID]]
) -> None:
    """Who agrees with the pass that a rejection has become says that the rejection was wrong."""
    sample_id = draw_all(databases)
    first, second = population[True][:2]
    connection.execute("UPDATE jobs SET is_prohibited = false WHERE job_id = %s", (first,))
    judge(databases, ANN, first, Verdict.AGREE)
    judge(databases, ANN, second, Verdict.AGREE)

    assert answer_sample(databases, sample_id, BY).wrong_rejections.faults == (first,)


def test_flags_are_answered_by_the_categories_that_reviewers_would_set(
    databases: Databases, connection: psycopg.Connection
) -> None:
    """Of four flagged jobs three should be, of five that should be flagged three are; faults are the others."""
    flags = {}
    for number in range(10):
        flags[insert_job(connection, is_prohibited=True)] = number
    for job_id, number in flags.items():
        insert_log(connection, job_id, category_nsfw=number < 4)
    plans = (Plan("apart", 10, by=(Stratification.DECISION, Stratification.CATEGORY)), Plan("together", 10))
    drawn_apart, drawn_together = (draw_sample(databases, COMMAND_LINE, april(), plan) for plan in plans)
    for job_id, number in flags.items():
        should = {Category.NSFW} if 1 <= number <= 5 else set()
        judge(databases, ANN, job_id, Verdict.AGREE, frozenset(should))

    for sample_id, plan in ((drawn_apart, plans[0]), (drawn_together, plans[1])):
        found = answer_sample(databases, sample_id, plan.by).flags[Category.NSFW]
        assert found.precision.bounds is not None
        assert found.recall.bounds is not None
        assert found.precision.bounds.lower.share == pytest.approx(3 / 4)
        assert found.recall.bounds.lower.share == pytest.approx(3 / 5)
        assert [flags[job_id] for job_id in found.precision.faults] == [0]
        assert sorted(flags[job_id] for job_id in found.recall.faults) == [4, 5]


def test_what_nobody_said_of_categories_is_unclear(databases: Databases, connection: psycopg.Connection) -> None:
    """A flagged job whose reviewers say nothing about categories may bear its flag rightly or wrongly.

    Where they say nothing about those of any job, the sample does not say anything either.
    """
    jobs = [insert_job(connection, is_prohibited=True) for _ in range(2)]
    for job_id in jobs:
        insert_log(connection, job_id, category_nsfw=True)
    sample_id = draw_all(databases)
    judge(databases, ANN, jobs[0], Verdict.AGREE)

    nothing = answer_sample(databases, sample_id, BY).flags[Category.NSFW].precision
    judge(databases, ANN, jobs[1], Verdict.AGREE, frozenset({Category.NSFW}))
    found = answer_sample(databases, sample_id, BY).flags[Category.NSFW].precision

    assert (nothing.bounds, nothing.unclear) == (None, ())
    assert "a sample can ask for them" in nothing.why_not
    assert found.bounds is not None
    assert (found.bounds.lower.share, found.bounds.upper.share, found.unclear) == (0.5, 1.0, (jobs[0],))


def test_clients_are_told_apart_also_where_the_strata_do_not(
    databases: Databases, connection: psycopg.Connection
) -> None:
    """One wrong of two rejections of one client, none of four of another: 50 % and 0 %."""
    ids = [insert_job(connection, is_prohibited=True, client_id="acme" if n < 2 else "other") for n in range(6)]
    sample_id = draw_all(databases)
    for place, job_id in enumerate(ids):
        judge(databases, ANN, job_id, Verdict.OVERTURN if place == 0 else Verdict.AGREE)

    groups = answer_sample(databases, sample_id, BY).groups[Stratification.CLIENT]

    said = {one.values[1]: one.wrong.bounds for one in groups}
    assert {client: found and round(found.lower.share, 9) for client, found in said.items()} == {
        "acme": 0.5,
        "other": 0,
    }


def judge_demo_sample(databases: Databases, connection: psycopg.Connection, plan: Plan) -> Answer:
    """Draw a sample of the demo jobs and judge it as somebody who is always right."""
    sample_id = draw_sample(databases, COMMAND_LINE, april(), plan)
    ids = drawn(connection, sample_id)
    truth = connection.execute(
        "SELECT job_id, coalesce(strpos(prompt, '[placeholder') > 0, is_prohibited) = is_prohibited FROM jobs"
        " WHERE job_id = ANY(%s)",
        (ids,),
    ).fetchall()
    for verdict in (Verdict.AGREE, Verdict.OVERTURN):
        alike = [job_id for job_id, is_right in truth if is_right == (verdict is Verdict.AGREE)]
        judge_alike(databases, ANN, alike, verdict)
    return answer_sample(databases, sample_id, tuple(plan.by))


def test_demo_jobs_are_answered_right_and_their_wrong_rule_is_found(
    databases: Databases, connection: psycopg.Connection
) -> None:
    """600 verdicts tell the shares of wrong decisions, recall within five points, and name the rule that is wrong."""
    seed_jobs(databases, 20_000, seed=1, until=datetime(2026, 5, 1, tzinfo=UTC))
    rejected_right, rejected, passed_wrong, passed = connection.execute(
        "SELECT count(*) FILTER (WHERE is_prohibited AND bad), count(*) FILTER (WHERE is_prohibited),"
        " count(*) FILTER (WHERE NOT is_prohibited AND bad), count(*) FILTER (WHERE NOT is_prohibited)"
        " FROM (SELECT is_prohibited, coalesce(strpos(prompt, '[placeholder') > 0, is_prohibited) AS bad FROM jobs"
        " WHERE created_at >= '2026-04-01Z' AND is_prohibited IS NOT NULL) AS decided"
    ).fetchone() or (0, 0, 0, 0)

    plan = Plan("April", 600, by=(Stratification.DECISION, Stratification.REASON), at_least=12, narrowest=True, seed=2)
    answer = judge_demo_sample(databases, connection, plan)

    recall = rejected_right / (rejected_right + passed_wrong)
    for figure, truth in (
        (answer.wrong_rejections, 1 - rejected_right / rejected),
        (answer.wrong_passes, passed_wrong / passed),
        (answer.recall, recall),
    ):
        assert figure.bounds is not None
        assert figure.bounds.low <= truth <= figure.bounds.high
    assert answer.recall.bounds is not None
    assert abs(answer.recall.bounds.lower.share - recall) < 0.05
    wrong = {one.values[1]: one.wrong.bounds for one in answer.groups[Stratification.REASON] if one.is_prohibited}
    assert [reason for reason, found in wrong.items() if found is not None and found.low > 0.5] == [WRONG_REASON]
