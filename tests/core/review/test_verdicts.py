"""Reviews: verdicts, their history, queues, claims, and what they say about the decisions."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import Row

from core.actor import Actor, Scope
from core.db.databases import Databases
from core.db.startup import open_databases
from core.errors import InvalidParameter, QueryTooSlow
from core.jobs.filter import Category, DateRange, Decision, JobFilter
from core.jobs.job import find_job
from core.jobs.query import PageKey
from core.jobs.same_prompt import list_same_prompt
from core.jobs.wall import Wall
from core.review.agreement import Agreement
from core.review.claims import release_claim, renew_claim
from core.review.drafts import find_draft, keep_draft
from core.review.queues import Queue, Turn, claim_next
from core.review.statistics import OverturnRate, list_overturn_rates, measure_agreement
from core.review.verdicts import (
    Review,
    Verdict,
    find_last,
    find_own,
    find_reviewed,
    list_others,
    record_review,
    take_back,
)
from core.settings import Settings
from tests.conftest import TestServer
from tests.support.documents import april
from tests.support.rows import NOON, insert_job, insert_log

READER = frozenset({Scope.JOB_READ})
ANN, BEN, CLEO = (Actor(f"user:{name}", Wall(None), READER, f"{name}@example.com") for name in ("ann", "ben", "cleo"))
MONTH = april().range


def job(databases: Databases, job_id: UUID) -> Row[Any]:
    with databases.source.transaction() as connection:
        found = find_job(connection, job_id, Wall(None))
    assert found is not None
    return found


def review(databases: Databases, by: Actor, job_id: UUID, verdict: Verdict, note: str = "") -> UUID:
    return record_review(databases, by, [job(databases, job_id)], Review(verdict, note=note))


def verdict_of(databases: Databases, by: Actor, job_id: UUID) -> str | None:
    own = find_own(databases.ours, by, job_id)
    return None if own is None else str(own.verdict)


def test_one_verdict_counts_and_history_stays(databases: Databases, connection: psycopg.Connection) -> None:
    """A newer verdict supersedes one's own older one; what the job was then is remembered; the job is untouched."""
    job_id = insert_job(connection, is_prohibited=True)
    insert_log(connection, job_id, category_nsfw=True, category_underage=None)
    before = connection.execute("SELECT jobs::text FROM jobs").fetchall()

    review(databases, ANN, job_id, Verdict.AGREE)
    record_review(
        databases,
        ANN,
        [job(databases, job_id)],
        Review(Verdict.OVERTURN, frozenset({Category.NSFW, Category.UNDERAGE}), " a note "),
    )

    own = find_own(databases.ours, ANN, job_id)
    assert own is not None
    assert (own.verdict, own.categories, own.note) == ("overturn", ["underage", "nsfw"], "a note")
    assert (own.is_prohibited, own.evaluated, own.category_nsfw, own.category_underage) == (True, True, True, None)
    assert (own.client_id, own.job_created_at) == ("acme", NOON)
    rows = connection.execute("SELECT verdict, superseded_at IS NULL FROM reviews ORDER BY review_id").fetchall()
    assert rows == [("agree", False), ("overturn", True)]
    assert connection.execute("SELECT jobs::text FROM jobs").fetchall() == before


def test_taking_back_restores_what_counted_before(databases: Databases, connection: psycopg.Connection) -> None:
    """Each act can be taken back once, by its person alone; the verdict before it counts again, down to none."""
    job_id = insert_job(connection, is_prohibited=True)
    first = review(databases, ANN, job_id, Verdict.AGREE)
    second = review(databases, ANN, job_id, Verdict.UNSURE)

    assert take_back(databases, BEN, second) == 0
    assert take_back(databases, ANN, second) == 1
    assert verdict_of(databases, ANN, job_id) == "agree"
    assert take_back(databases, ANN, second) == 0
    assert take_back(databases, ANN, first) == 1
    assert verdict_of(databases, ANN, job_id) is None
    assert take_back(databases, ANN, first) == 0

    review(databases, ANN, job_id, Verdict.OVERTURN)
    assert verdict_of(databases, ANN, job_id) == "overturn"


def test_what_cannot_be_recorded_is_refused(databases: Databases, connection: psycopg.Connection) -> None:
    """An undecided job, an escalation without a note, too long a note: a sentence, and nothing is written."""
    undecided = job(databases, insert_job(connection, is_prohibited=None))
    decided = job(databases, insert_job(connection, is_prohibited=True))

    for jobs, wrong in (
        ([undecided], Review(Verdict.AGREE)),
        ([decided, undecided], Review(Verdict.AGREE)),
        ([decided], Review(Verdict.ESCALATE, note=" \n")),
        ([decided], Review(Verdict.AGREE, note="x" * 4_001)),
    ):
        with pytest.raises(InvalidParameter):
            record_review(databases, ANN, jobs, wrong)

    assert connection.execute("SELECT count(*) FROM reviews").fetchone() == (0,)
    assert connection.execute("SELECT count(*) FROM audit_events").fetchone() == (0,)


def test_others_verdicts_show_after_ones_own(databases: Databases, connection: psycopg.Connection) -> None:
    """Who has not reviewed a job sees nobody's verdict on it; who has taken theirs back does not any more either."""
    job_id = insert_job(connection, is_prohibited=True)
    review(databases, ANN, job_id, Verdict.AGREE, "a note of Ann")

    assert list_others(databases.ours, BEN, job_id) == []
    act = review(databases, BEN, job_id, Verdict.OVERTURN)
    assert [(row.person, row.verdict, row.note) for row in list_others(databases.ours, BEN, job_id)] == [
        ("user:ann", "agree", "a note of Ann")
    ]
    take_back(databases, BEN, act)
    assert list_others(databases.ours, BEN, job_id) == []


def test_what_is_taken_back_leaves_its_note_as_a_draft(databases: Databases, connection: psycopg.Connection) -> None:
    """Whoever takes an escalation back does not type its reason again; what was said last is known, too."""
    job_id = insert_job(connection, is_prohibited=True)
    act = record_review(
        databases, ANN, [job(databases, job_id)], Review(Verdict.ESCALATE, frozenset({Category.NSFW}), "a long reason")
    )

    take_back(databases, ANN, act)

    last = find_last(databases.ours, ANN, job_id)
    assert find_draft(databases.ours, ANN, job_id) == "a long reason"
    assert last is not None
    assert (last.verdict, last.categories, find_last(databases.ours, BEN, job_id)) == ("escalate", ["nsfw"], None)


def test_the_audit_knows_of_each_verdict_and_no_note(databases: Databases, connection: psycopg.Connection) -> None:
    """Recorded and taken back are events with the verdict and the number of jobs, never with words."""
    job_id = insert_job(connection, is_prohibited=True, prompt="a harmless prompt")

    act = review(databases, ANN, job_id, Verdict.ESCALATE, "a confidential note")
    take_back(databases, ANN, act)

    rows = connection.execute("SELECT event, actor, subject, details FROM audit_events ORDER BY seq").fetchall()
    assert rows == [
        (
            "reviewed",
            "user:ann",
            str(job_id),
            {"verdict": "escalate", "categories": None, "jobs": 1, "act": str(act)},
        ),
        ("review-taken-back", "user:ann", str(job_id), {"jobs": 1, "act": str(act)}),
    ]


def test_one_verdict_for_all_with_the_same_prompt(databases: Databases, connection: psycopg.Connection) -> None:
    """Decided jobs with this prompt are found and reviewed in one act, which is taken back as one."""
    ids = [insert_job(connection, is_prohibited=True, prompt="the same") for _ in range(3)]
    insert_job(connection, is_prohibited=None, prompt="the same")
    insert_job(connection, is_prohibited=True, prompt="another")

    with databases.source.transaction() as asking:
        alike = list_same_prompt(asking, ids[0], Wall(None), limit=10)
        elsewhere = list_same_prompt(asking, ids[0], Wall("other"), limit=10)
    act = record_review(databases, ANN, alike, Review(Verdict.OVERTURN))

    assert elsewhere == []
    assert find_reviewed(databases.ours, ids) == set(ids) == {row.job_id for row in alike}
    assert take_back(databases, ANN, act) == 3
    assert find_reviewed(databases.ours, ids) == set()


def test_two_clicks_at_once_leave_one_verdict(databases: Databases, connection: psycopg.Connection) -> None:
    """However many acts of one person arrive together, one counts."""
    row = job(databases, insert_job(connection, is_prohibited=True))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda verdict: record_review(databases, ANN, [row], Review(verdict)), [*Verdict][:3] * 4))

    counted = connection.execute("SELECT count(*), count(*) FILTER (WHERE superseded_at IS NULL) FROM reviews")
    assert counted.fetchone() == (12, 1)


def test_a_draft_is_kept_for_its_person_and_job(databases: Databases, connection: psycopg.Connection) -> None:
    """What was typed is there again, until it is recorded."""
    job_id, other = (insert_job(connection, is_prohibited=True) for _ in range(2))
    keep_draft(databases.ours, ANN, job_id, "half a")
    keep_draft(databases.ours, ANN, job_id, "half a sentence\0")

    assert find_draft(databases.ours, ANN, job_id) == "half a sentence\N{REPLACEMENT CHARACTER}"
    assert (find_draft(databases.ours, BEN, job_id), find_draft(databases.ours, ANN, other)) == ("", "")
    review(databases, ANN, job_id, Verdict.AGREE)
    assert find_draft(databases.ours, ANN, job_id) == ""


def walk(databases: Databases, by: Actor, number: int, **options: Any) -> list[UUID | None]:
    """Take so many turns of a queue, each reviewed."""
    found: list[UUID | None] = []
    for _ in range(number):
        turn = claim_next(databases, by, JobFilter(range=MONTH), options.get("queue", Queue.NEW))
        found.append(None if turn is None else turn.job_id)
        if turn is not None:
            review(databases, by, turn.job_id, Verdict.AGREE)
    return found


def test_the_queue_gives_each_decided_job_once(databases: Databases, connection: psycopg.Connection) -> None:
    """Newest first, undecided and foreign ones left out, until none is left; what is claimed goes to nobody else."""
    ids = [
        insert_job(connection, is_prohibited=number % 2 == 0, created_at=NOON - timedelta(minutes=number))
        for number in range(4)
    ]
    insert_job(connection, is_prohibited=None)
    insert_job(connection, is_prohibited=True, created_at=NOON + timedelta(days=60))

    mine = claim_next(databases, ANN, JobFilter(range=MONTH), Queue.NEW)
    assert mine is not None
    assert mine.job_id == ids[0]
    assert walk(databases, BEN, 4) == [ids[1], ids[2], ids[3], None]
    release_claim(databases.ours, ANN, ids[0])
    assert walk(databases, BEN, 2) == [ids[0], None]


def test_a_claim_ends_with_its_time(databases: Databases, connection: psycopg.Connection) -> None:
    """Who left loses the job after ten minutes, and who holds it keeps it."""
    job_id = insert_job(connection, is_prohibited=True)
    queue = JobFilter(range=MONTH)
    assert claim_next(databases, ANN, queue, Queue.NEW) is not None
    assert renew_claim(databases.ours, ANN, job_id)
    assert not renew_claim(databases.ours, BEN, job_id)
    assert claim_next(databases, BEN, queue, Queue.NEW) is None

    connection.execute("UPDATE review_claims SET ends_at = now() - interval '1 second'")

    claimed = claim_next(databases, BEN, queue, Queue.NEW)
    assert claimed == Turn(job_id, PageKey(NOON, job_id))
    assert not renew_claim(databases.ours, ANN, job_id)


def test_people_at_once_get_different_jobs(databases: Databases, connection: psycopg.Connection) -> None:
    """Ten people who ask in the same moment are at ten jobs."""
    for number in range(10):
        insert_job(connection, is_prohibited=True, created_at=NOON - timedelta(seconds=number))
    actors = [replace(ANN, name=f"user:{number}") for number in range(10)]

    with ThreadPoolExecutor(10) as pool:
        turns = list(pool.map(lambda actor: claim_next(databases, actor, JobFilter(range=MONTH), Queue.NEW), actors))

    assert len({turn.job_id for turn in turns if turn is not None}) == 10


def test_many_people_review_each_job_once(databases: Databases, connection: psycopg.Connection) -> None:
    """Six people who work through one queue at the same time never review the same job, and leave none."""
    for number in range(36):
        insert_job(connection, is_prohibited=True, created_at=NOON - timedelta(seconds=number))

    def work(number: int) -> None:
        actor, after, leaving = replace(ANN, name=f"user:{number}"), None, None
        while turn := claim_next(databases, actor, JobFilter(range=MONTH), Queue.NEW, after=after, leaving=leaving):
            review(databases, actor, turn.job_id, Verdict.AGREE)
            if leaving is not None:
                release_claim(databases.ours, actor, leaving)
            after, leaving = turn.after, turn.job_id

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))

    counted = connection.execute("SELECT count(*), count(DISTINCT job_id) FROM reviews").fetchone()
    assert counted == (36, 36)


def test_alpha_is_that_of_the_book(databases: Databases, connection: psycopg.Connection) -> None:
    """Krippendorff's own example of two observers and ten binary units: they agree on six, and alpha is 0.095."""
    first, second = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    for row in zip(first, second, strict=True):
        job_id = insert_job(connection, is_prohibited=True)
        for actor, overturns in zip((ANN, BEN), row, strict=True):
            review(databases, actor, job_id, Verdict.OVERTURN if overturns else Verdict.AGREE)

    with databases.ours.transaction() as asking:
        agreement = measure_agreement(asking, MONTH, None, Wall(None))

    assert agreement.alpha == pytest.approx(0.095, abs=0.0005)
    assert (agreement.jobs, agreement.unanimous) == (10, 6)


@pytest.mark.parametrize("queue", list(Queue))
def test_whoever_skips_gets_another_job(databases: Databases, connection: psycopg.Connection, queue: Queue) -> None:
    """In each queue what one leaves is not what one gets, and comes again when all others were seen."""
    ids = {insert_job(connection, is_prohibited=True, created_at=NOON - timedelta(minutes=n)) for n in range(3)}
    for job_id in ids if queue is not Queue.NEW else ():
        review(databases, ANN, job_id, Verdict.ESCALATE if queue is Queue.ESCALATED else Verdict.AGREE, "a note")
        if queue is Queue.DISAGREED:
            review(databases, BEN, job_id, Verdict.OVERTURN)

    seen: list[UUID] = []
    after, leaving = None, None
    for _ in range(4):
        turn = claim_next(databases, CLEO, JobFilter(range=MONTH), queue, after=after, leaving=leaving)
        assert turn is not None
        seen.append(turn.job_id)
        after, leaving = turn.after, turn.job_id

    assert set(seen[:3]) == ids
    assert seen[3] == seen[0]


def test_the_only_job_is_nothing_else(databases: Databases, connection: psycopg.Connection) -> None:
    """Whoever skips the last job that is left gets none."""
    job_id = insert_job(connection, is_prohibited=True)

    assert claim_next(databases, ANN, JobFilter(range=MONTH), Queue.NEW, leaving=job_id) is None


def test_a_search_in_vain_says_how_far_it_went(
    databases: Databases, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where very many newest jobs are reviewed, the queue does not claim to be empty."""
    monkeypatch.setattr("core.review.queues.BATCH", 2)
    monkeypatch.setattr("core.review.queues.MOST_CANDIDATES", 4)
    for number in range(8):
        row = job(databases, insert_job(connection, is_prohibited=True, created_at=NOON - timedelta(minutes=number)))
        if number < 7:
            record_review(databases, ANN, [row], Review(Verdict.AGREE))

    with pytest.raises(QueryTooSlow, match=r"The 6 newest of these jobs are reviewed or taken: choose earlier days"):
        claim_next(databases, BEN, JobFilter(range=MONTH), Queue.NEW)


def test_a_sample_is_even_over_time(databases: Databases, connection: psycopg.Connection) -> None:
    """Of jobs that crowd at the end of the month, a sample of eight turns still comes from every quarter of it."""
    for number in range(200):
        insert_job(connection, is_prohibited=True, created_at=MONTH.end - timedelta(seconds=number + 1))
    for day in range(30):
        insert_job(connection, is_prohibited=True, created_at=MONTH.start + timedelta(days=day, hours=1))

    quarters = []
    for number in range(8):
        turn = claim_next(databases, ANN, JobFilter(range=MONTH), Queue.NEW, sample=number)
        assert turn is not None
        review(databases, ANN, turn.job_id, Verdict.AGREE)
        created_at = job(databases, turn.job_id).created_at
        quarters.append(int((created_at - MONTH.start) / (MONTH.end - MONTH.start) * 4))

    assert {quarter: quarters.count(quarter) for quarter in range(4)} == {0: 2, 1: 2, 2: 2, 3: 2}


def test_a_third_person_decides_where_two_disagree(databases: Databases, connection: psycopg.Connection) -> None:
    """The job goes to somebody who has not reviewed it, once; who agree, or are not sure, need nobody."""
    disputed, agreed, unsure = (insert_job(connection, is_prohibited=True) for _ in range(3))
    for job_id, verdicts in (
        (disputed, (Verdict.AGREE, Verdict.OVERTURN)),
        (agreed, (Verdict.AGREE, Verdict.AGREE)),
        (unsure, (Verdict.AGREE, Verdict.UNSURE)),
    ):
        for actor, verdict in zip((ANN, BEN), verdicts, strict=True):
            review(databases, actor, job_id, verdict)

    assert walk(databases, ANN, 1, queue=Queue.DISAGREED) == [None]
    assert walk(databases, CLEO, 2, queue=Queue.DISAGREED) == [disputed, None]


def test_whoever_may_have_seen_the_verdicts_is_not_asked(databases: Databases, connection: psycopg.Connection) -> None:
    """Who took their own verdict back has met those of the others, and is no blind third."""
    job_id = insert_job(connection, is_prohibited=True)
    review(databases, ANN, job_id, Verdict.AGREE)
    review(databases, BEN, job_id, Verdict.OVERTURN)

    take_back(databases, CLEO, review(databases, CLEO, job_id, Verdict.AGREE))

    assert walk(databases, CLEO, 1, queue=Queue.DISAGREED) == [None]


def test_a_changed_decision_does_not_make_people_disagree(databases: Databases, connection: psycopg.Connection) -> None:
    """To overturn a pass and to agree with the rejection that it became is the same opinion."""
    job_id = insert_job(connection, is_prohibited=False)
    review(databases, ANN, job_id, Verdict.OVERTURN)
    connection.execute("UPDATE jobs SET is_prohibited = true")
    review(databases, BEN, job_id, Verdict.AGREE)

    with databases.ours.transaction() as asking:
        agreement = measure_agreement(asking, MONTH, None, Wall(None))

    assert walk(databases, CLEO, 1, queue=Queue.DISAGREED) == [None]
    assert agreement == Agreement(1, 1, None)


@pytest.mark.parametrize("queue", [Queue.SECOND, Queue.DISAGREED, Queue.ESCALATED])
def test_each_queue_is_that_of_the_whole_filter(
    databases: Databases, connection: psycopg.Connection, queue: Queue
) -> None:
    """Also what no review remembers narrows a queue, such as the type and the text of the prompt."""
    wanted = insert_job(connection, is_prohibited=True, type="image", prompt="a lighthouse")
    others = (
        insert_job(connection, is_prohibited=True, type="image", prompt="a fox"),
        insert_job(connection, is_prohibited=True, prompt="a lighthouse"),
    )
    for job_id in (*others, wanted):
        review(databases, ANN, job_id, Verdict.ESCALATE if queue is Queue.ESCALATED else Verdict.AGREE, "a note")
        if queue is Queue.DISAGREED:
            review(databases, BEN, job_id, Verdict.OVERTURN)

    narrowed = JobFilter(range=MONTH, type=("image",), q="LIGHTHOUSE")
    turn = claim_next(databases, CLEO, narrowed, queue)

    assert turn is not None
    assert turn.job_id == wanted
    assert claim_next(databases, CLEO, narrowed, queue, after=turn.after, leaving=wanted) is None


def test_reviews_work_where_the_jobs_live_elsewhere(server: TestServer, database_url: str) -> None:
    """With a source of its own no statement touches both: neither database has the other's tables, and all works."""
    name = f"fencepost_test_source_{uuid4().hex[:8]}"
    source_url = server.create_empty(name)
    with psycopg.connect(source_url, autocommit=True) as source, psycopg.connect(database_url, autocommit=True) as ours:
        for table in ("jobs", "moderation_logs"):
            columns = ours.execute(
                "SELECT string_agg(format('%%I %%s', attname, format_type(atttypid, NULL)), ', ' ORDER BY attnum)"
                " FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0",
                (table,),
            ).fetchone()
            assert columns is not None
            source.execute(f"CREATE TABLE {table} ({columns[0].replace('log_id bigint', 'log_id bigserial')})")
            ours.execute(f"DROP TABLE {table} CASCADE")
        ids = {insert_job(source, is_prohibited=True, prompt="the same") for _ in range(2)}
        both = open_databases(Settings(database_url=SecretStr(database_url), source_database_url=SecretStr(source_url)))
        first = claim_next(both, ANN, JobFilter(range=MONTH), Queue.NEW)
        assert first is not None
        review(both, ANN, first.job_id, Verdict.AGREE)
        release_claim(both.ours, ANN, first.job_id)
        review(both, BEN, first.job_id, Verdict.OVERTURN)
        third = claim_next(both, CLEO, JobFilter(range=MONTH), Queue.DISAGREED)
        with both.source.transaction() as asking:
            alike = list_same_prompt(asking, first.job_id, Wall(None), limit=10)
        with both.ours.transaction() as asking:
            agreement = measure_agreement(asking, MONTH, None, Wall(None))
        both.close()
    server.drop(name)

    assert third is not None
    assert (third.job_id, agreement) == (first.job_id, Agreement(1, 0, 0.0))
    assert {row.job_id for row in alike} == ids


def test_an_escalated_job_waits_for_somebody_else(databases: Databases, connection: psycopg.Connection) -> None:
    """It goes to others than who escalated it, until one of them says what is right."""
    job_id = insert_job(connection, is_prohibited=True)
    review(databases, ANN, job_id, Verdict.ESCALATE, "please look")

    assert walk(databases, ANN, 1, queue=Queue.ESCALATED) == [None]
    assert walk(databases, BEN, 1, queue=Queue.ESCALATED) == [job_id]
    release_claim(databases.ours, BEN, job_id)
    assert walk(databases, CLEO, 1, queue=Queue.ESCALATED) == [None]


@pytest.mark.parametrize(
    ("decisions", "expected"),
    [((), 2), ((Decision.REJECT,), 1), ((Decision.UNDECIDED,), 0), ((Decision.PASS, Decision.UNDECIDED), 1)],
)
def test_the_queue_is_that_of_a_filter(
    databases: Databases, connection: psycopg.Connection, decisions: Sequence[Decision], expected: int
) -> None:
    """Any filter narrows the queue; what is not decided never stands in it."""
    for decision in (True, False, None):
        insert_job(connection, is_prohibited=decision)

    found = 0
    while claim := claim_next(databases, ANN, JobFilter(range=MONTH, decision=tuple(decisions)), Queue.NEW):
        review(databases, ANN, claim.job_id, Verdict.AGREE)
        found += 1

    assert found == expected


def test_rates_and_agreement_have_their_sample_sizes(databases: Databases, connection: psycopg.Connection) -> None:
    """By week of the job and category; unsure and escalated ones are in neither figure, nor is what was taken back."""
    first = insert_job(connection, is_prohibited=True, created_at=NOON)
    insert_log(connection, first, category_nsfw=True)
    later = insert_job(connection, is_prohibited=False, created_at=NOON + timedelta(days=7))
    review(databases, ANN, first, Verdict.OVERTURN)
    review(databases, BEN, first, Verdict.AGREE)
    review(databases, ANN, later, Verdict.AGREE)
    review(databases, BEN, later, Verdict.AGREE)
    review(databases, CLEO, later, Verdict.UNSURE)

    with databases.ours.transaction() as asking:
        rates = list_overturn_rates(asking, MONTH, None, Wall(None), ZoneInfo("UTC"))
        agreement = measure_agreement(asking, MONTH, None, Wall(None))
        elsewhere = measure_agreement(asking, MONTH, "other", Wall(None))
        before = list_overturn_rates(asking, DateRange(NOON, NOON), None, Wall(None), ZoneInfo("UTC"))

    assert rates == [
        OverturnRate(date(2026, 4, 13), None, 2, 1),
        OverturnRate(date(2026, 4, 13), Category.NSFW, 2, 1),
        OverturnRate(date(2026, 4, 20), None, 2, 0),
    ]
    assert (agreement, elsewhere, before) == (Agreement(2, 1, 0.0), Agreement(0, 0), [])
