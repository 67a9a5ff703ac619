"""The policy: numbered texts, under which verdicts are given, and which may end that earlier ones count."""

from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import pytest

from core.actor import COMMAND_LINE, Actor, Forbidden, Scope
from core.db.databases import Databases
from core.errors import InvalidParameter, NotPossible
from core.jobs.filter import Category
from core.jobs.wall import Wall
from core.policy.texts import GENERAL, Kind, Subject, let_count, list_versions, read_policy, write_policy
from core.quality.answers import answer_sample
from core.quality.progress import read_progress
from core.quality.queue import claim_next_drawn
from core.quality.samples import Judging, Plan, draw_sample, find_sample
from core.quality.sentences import say_versions
from core.review.claims import release_claim
from core.review.queues import Queue, claim_next
from core.review.statistics import list_overturn_rates, measure_agreement
from core.review.verdicts import PolicyChanged, Review, Verdict, list_others, record_review, take_back
from tests.core.audit.test_events import events
from tests.core.quality.test_answers import ANN, BOB, judge
from tests.core.review.test_verdicts import CLEO, job
from tests.support.documents import april
from tests.support.rows import insert_job, insert_log

NSFW, RULE = Subject(Kind.CATEGORY, "nsfw"), Subject(Kind.REASON, "Blocked term, list 7")


@pytest.fixture
def database_url(emptied_url: str) -> str:
    """One database for all of these tests, without what the one before has left of policy, verdicts and samples."""
    with psycopg.connect(emptied_url) as connection:
        connection.execute("TRUNCATE policies, reviews, samples CASCADE")
    return emptied_url


def write(databases: Databases, subject: Subject, words: str, *, earlier_count: bool = True) -> int:
    return write_policy(databases, COMMAND_LINE, subject, words, earlier_count=earlier_count)


def given_under(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    """Return of each verdict under which version it was given, and which later ones do not let it count."""
    return connection.execute("SELECT policy_version, outdated_by FROM reviews ORDER BY review_id").fetchall()


def test_the_newest_version_of_each_subject_applies(databases: Databases, connection: psycopg.Connection) -> None:
    """Versions are numbered over all subjects, none is lost, and an empty text takes the one before back."""
    numbers = [write(databases, subject, words) for subject, words in ((GENERAL, "a"), (NSFW, "b"), (GENERAL, " c "))]
    last = write(databases, NSFW, "")

    policy = read_policy(databases.ours)

    assert (numbers, last, policy.version) == ([1, 2, 3], 4, 4)
    assert {subject: (row.version, row.text) for subject, row in policy.texts.items()} == {GENERAL: (3, "c")}
    assert [row.text for row in list_versions(databases.ours, NSFW)] == ["", "b"]
    assert [one["event"] for one in events(connection)[-4:]] == ["policy-written"] * 4


def test_who_may_not_or_comes_late_changes_nothing(databases: Databases) -> None:
    """Only admins write; a text that cannot be, that is as it was, or that somebody has changed is refused."""
    reader = Actor("user:reader", Wall(None), frozenset({Scope.JOB_READ}))
    write(databases, GENERAL, "a")

    with pytest.raises(Forbidden):
        write_policy(databases, reader, GENERAL, "b", earlier_count=True)
    with pytest.raises(Forbidden):
        let_count(databases, reader, 1, earlier_count=False)
    for subject, words in ((GENERAL, "a"), (GENERAL, "a" * 20_001), (NSFW, ""), (Subject(Kind.CATEGORY, "odd"), "a")):
        with pytest.raises(InvalidParameter):
            write(databases, subject, words)
    with pytest.raises(NotPossible, match="Somebody has changed this text meanwhile"):
        write_policy(databases, COMMAND_LINE, GENERAL, "b", earlier_count=True, shown=0)
    assert read_policy(databases.ours).version == 1


def test_a_change_ends_that_verdicts_count_on_what_it_is_about(
    databases: Databases, connection: psycopg.Connection
) -> None:
    """A category's text is about jobs that bear it or should, a reason's about its jobs, the general one about all."""
    flagged, should, ruled, other = (insert_job(connection, is_prohibited=True) for _ in range(4))
    insert_log(connection, flagged, category_nsfw=True)
    connection.execute("UPDATE jobs SET reason = %s WHERE job_id = %s", (RULE.value, ruled))
    for job_id in (flagged, should, ruled, other):
        judge(databases, ANN, job_id, Verdict.AGREE, frozenset({Category.NSFW}) if job_id == should else None)

    write(databases, NSFW, "a", earlier_count=False)
    write(databases, RULE, "b", earlier_count=False)
    write(databases, GENERAL, "c")
    judge(databases, BOB, ruled, Verdict.AGREE)
    by_subject = given_under(connection)
    let_count(databases, COMMAND_LINE, 3, earlier_count=False)
    by_all = given_under(connection)
    let_count(databases, COMMAND_LINE, 1, earlier_count=True)
    let_count(databases, COMMAND_LINE, 1, earlier_count=True)

    assert by_subject == [(None, [1]), (None, [1]), (None, [2]), (None, []), (3, [])]
    assert by_all == [(None, [1, 3]), (None, [1, 3]), (None, [2, 3]), (None, [3]), (3, [])]
    assert given_under(connection) == [(None, [3]), (None, [3]), (None, [2, 3]), (None, [3]), (3, [])]
    assert [one["event"] for one in events(connection)[-2:]] == ["policy-recounted"] * 2


def test_a_verdict_is_under_what_was_on_screen(databases: Databases, connection: psycopg.Connection) -> None:
    """A version that lets earlier verdicts count may come meanwhile; after another one it is given anew."""
    job_id = insert_job(connection, is_prohibited=True)
    write(databases, GENERAL, "a")
    write(databases, GENERAL, "b")

    record_review(databases, ANN, [job(databases, job_id)], Review(Verdict.AGREE, policy=1))
    write(databases, NSFW, "c", earlier_count=False)
    with pytest.raises(PolicyChanged):
        record_review(databases, BOB, [job(databases, job_id)], Review(Verdict.AGREE, policy=2))
    record_review(databases, BOB, [job(databases, job_id)], Review(Verdict.AGREE, policy=3))

    assert [version for version, _ in given_under(connection)] == [1, 3]


def draw(databases: Databases) -> UUID:
    return draw_sample(databases, COMMAND_LINE, april(), Plan("all", 5), Judging(opinions=1, is_blind=False))


def test_quality_leaves_out_what_does_not_count(databases: Databases, connection: psycopg.Connection) -> None:
    """The figures, how far a sample is and what is left to judge, also for those who have judged; until it counts."""
    job_id = insert_job(connection, is_prohibited=True)
    sample_id = draw(databases)
    sample = find_sample(databases, Wall(None), sample_id)
    assert sample is not None
    judge(databases, ANN, job_id, Verdict.AGREE)
    before = answer_sample(databases, sample_id, sample.strata)
    version = write(databases, GENERAL, "a", earlier_count=False)
    after, progress = answer_sample(databases, sample_id, sample.strata), read_progress(databases, sample)
    claimed = claim_next_drawn(databases, ANN, sample)
    again = judge(databases, ANN, job_id, Verdict.OVERTURN)
    anew = answer_sample(databases, sample_id, sample.strata)
    take_back(databases, ANN, again)
    taken_back = answer_sample(databases, sample_id, sample.strata)
    let_count(databases, COMMAND_LINE, version, earlier_count=True)

    assert [one.judged for one in (before, after, anew, taken_back)] == [1, 0, 1, 0]
    assert (progress.given, claimed) == (0, (job_id, 1))
    assert [say_versions(one.versions) for one in (before, after, anew)] == [
        [],
        ["1 verdict under an earlier policy left out, as whoever changed it has decided: judge it again."],
        ["Judged under version 1 of the policy."],
    ]
    assert answer_sample(databases, sample_id, sample.strata).judged == 1


def test_queues_and_rates_leave_out_what_does_not_count(databases: Databases, connection: psycopg.Connection) -> None:
    """A job whose verdicts do not count is new to everybody, blind, and in no rate; until they count."""
    job_id = insert_job(connection, is_prohibited=True)
    judge(databases, ANN, job_id, Verdict.OVERTURN)
    judge(databases, BOB, job_id, Verdict.AGREE)

    def look() -> tuple[Any, ...]:
        found = [claim_next(databases, ANN, april(), queue) for queue in Queue]
        with databases.ours.transaction() as reading:
            rates = list_overturn_rates(reading, april().range, None, Wall(None), ZoneInfo("UTC"))
            agreement = measure_agreement(reading, april().range, None, Wall(None))
        others = list_others(databases.ours, ANN, job_id)
        return [turn is not None for turn in found], len(rates), agreement.jobs, len(others)

    before = look()
    version = write(databases, GENERAL, "a", earlier_count=False)
    after = look()
    judge(databases, ANN, job_id, Verdict.ESCALATE, note="look")
    again = look()
    release_claim(databases.ours, ANN, job_id)
    let_count(databases, COMMAND_LINE, version, earlier_count=True)

    assert before == ([False, False, False, False], 1, 1, 1)
    assert after == ([True, False, False, False], 0, 0, 0)
    assert again == ([False, False, False, False], 0, 0, 1)
    assert claim_next(databases, CLEO, april(), Queue.ESCALATED) is not None
