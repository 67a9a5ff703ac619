"""Queues that people share: whose they are, who may change them, in which order they go, and who did what in them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from core.actor import Actor, Forbidden, Scope
from core.db.databases import Databases
from core.errors import InvalidParameter, NotPossible
from core.jobs.filter import DateRange
from core.jobs.wall import Wall
from core.quality.samples import Judging, Plan, draw_sample
from core.review.queues import Queue, claim_next, find_longest_waiting
from core.review.saved_queues import (
    Settings,
    close_queue,
    edit_queue,
    filter_now,
    find_queue,
    list_queues,
    may_judge,
    read_pace,
    read_settings,
    save_queue,
)
from core.review.verdicts import Review, Verdict, record_review, take_back
from core.review.week import Work, list_work
from tests.core.audit.test_events import events
from tests.core.review.test_verdicts import ANN, BEN, CLEO, job
from tests.support.documents import april
from tests.support.rows import NOON, insert_job

WHOLE = Settings(name="April", job_filter=april())
ADMIN = Actor("user:admin", Wall(None), frozenset(Scope))


@pytest.fixture
def database_url(emptied_url: str) -> str:
    """One database for all of these tests, without what the one before has left."""
    with psycopg.connect(emptied_url) as connection:
        connection.execute("TRUNCATE queues, reviews, review_claims CASCADE")
    return emptied_url


def test_a_queue_is_as_it_was_saved(databases: Databases, connection: psycopg.Connection) -> None:
    """Everything that was asked for comes back, after a change, too; each step is in the audit."""
    settings = Settings(
        name=" of acme ",
        job_filter=april(client_id="acme", decision="reject"),
        is_growing=True,
        kind=Queue.DISAGREED,
        is_oldest_first=True,
        needs_note=True,
        needs_categories=True,
        last_day=NOON.date(),
        people=(BEN.name,),
    )

    queue_id = save_queue(databases, ANN, settings)
    saved = find_queue(databases, BEN, queue_id)
    edit_queue(databases, ANN, queue_id, WHOLE)
    edited = find_queue(databases, CLEO, queue_id)
    close_queue(databases, ADMIN, queue_id)

    assert saved is not None
    assert edited is not None
    assert read_settings(saved) == replace(settings, name="of acme")
    assert read_settings(edited) == WHOLE
    assert list_queues(databases, ANN) == []
    assert [one["event"] for one in events(connection)[-3:]] == ["queue-saved", "queue-edited", "queue-closed"]


def test_ones_own_queues_come_first(databases: Databases) -> None:
    """Those that one owns or is named in, then those of everybody; those of others are for admins, to change only."""
    for name, owner, people in (
        ("b, of everybody", BEN, None),
        ("d, of ann", ANN, ()),
        ("a, of ben and ann", BEN, (ANN.name,)),
        ("c, of ben and cleo", BEN, (CLEO.name,)),
    ):
        save_queue(databases, owner, replace(WHOLE, name=name, people=people))

    assert [queue.name[0] for queue in list_queues(databases, ANN)] == ["a", "d", "b"]
    assert [queue.name[0] for queue in list_queues(databases, ADMIN)] == ["a", "b", "c", "d"]
    assert [may_judge(queue, ADMIN) for queue in list_queues(databases, ADMIN)] == [False, True, False, False]


def test_a_queue_of_a_client_is_for_those_who_may_see_it(databases: Databases) -> None:
    """Behind a wall one sees queues of all clients, which give one's own jobs, and those of one's own clients."""
    for client in (None, "acme", "other"):
        job_filter = replace(WHOLE.job_filter, client_id=client)
        save_queue(databases, BEN, replace(WHOLE, name=f"of {client}", job_filter=job_filter))
    walled = replace(ANN, wall=Wall("acme", "third"))

    assert [queue.name for queue in list_queues(databases, walled)] == ["of acme", "of None"]
    with pytest.raises(Forbidden):
        save_queue(databases, walled, replace(WHOLE, job_filter=replace(WHOLE.job_filter, client_id="other")))


def test_only_owners_and_admins_change_a_queue(databases: Databases) -> None:
    """Others are refused, and nobody changes one that is closed; a queue without a name is none."""
    queue_id = save_queue(databases, ANN, WHOLE)

    with pytest.raises(Forbidden):
        edit_queue(databases, BEN, queue_id, WHOLE)
    with pytest.raises(Forbidden):
        close_queue(databases, BEN, queue_id)
    with pytest.raises(InvalidParameter):
        save_queue(databases, ANN, replace(WHOLE, name="  "))
    close_queue(databases, ANN, queue_id)
    for closed in (queue_id, uuid4()):
        with pytest.raises(NotPossible):
            edit_queue(databases, ADMIN, closed, WHOLE)


def test_a_growing_queue_has_the_jobs_of_today() -> None:
    """Its end is the end of this day of UTC, and it never reaches over more than a filter may."""
    bounds = [
        filter_now(replace(WHOLE, is_growing=is_growing), now).range
        for is_growing, now in (
            (False, datetime(2026, 6, 1, 12, tzinfo=UTC)),
            (True, datetime(2026, 6, 1, 12, tzinfo=UTC)),
            (True, datetime(2026, 4, 1, 12, tzinfo=UTC)),
            (True, datetime(2027, 6, 1, 12, tzinfo=UTC)),
        )
    ]

    april_first, may_first = datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)
    assert bounds == [
        DateRange(april_first, may_first),
        DateRange(april_first, datetime(2026, 6, 2, tzinfo=UTC)),
        DateRange(april_first, may_first),
        DateRange(datetime(2026, 6, 1, tzinfo=UTC), datetime(2027, 6, 2, tzinfo=UTC)),
    ]


@pytest.mark.parametrize("kind", [Queue.NEW, Queue.SECOND])
def test_a_queue_goes_in_either_order(databases: Databases, connection: psycopg.Connection, kind: Queue) -> None:
    """Oldest or newest first, from wherever somebody is to the end, and from the other end once more."""
    ids = [insert_job(connection, is_prohibited=True, created_at=NOON + timedelta(hours=hour)) for hour in range(4)]
    if kind is Queue.SECOND:
        for job_id in ids:
            record_review(databases, BEN, [job(databases, job_id)], Review(Verdict.AGREE))

    def walk(*, is_oldest_first: bool) -> list[int]:
        seen, after, leaving = [], None, None
        for _ in range(5):
            turn = claim_next(
                databases, ANN, april(), kind, after=after, leaving=leaving, is_oldest_first=is_oldest_first
            )
            assert turn is not None
            seen.append(ids.index(turn.job_id))
            after, leaving = turn.after, turn.job_id
        return seen

    assert walk(is_oldest_first=True) == [0, 1, 2, 3, 0]
    assert walk(is_oldest_first=False) == [3, 2, 1, 0, 3]
    since = find_longest_waiting(databases, ANN, april(), kind, timeout=5)
    assert since is not None
    assert (since == NOON) is (kind is Queue.NEW)


def test_who_did_what_is_told_by_person_and_queue(databases: Databases, connection: psycopg.Connection) -> None:
    """In the order of the alphabet, with what counts now and is of this week; for admins alone."""
    queue_id, sample_id = save_queue(databases, ANN, WHOLE), uuid4()
    ids = [insert_job(connection, is_prohibited=True) for _ in range(4)]

    def give(by: Actor, number: int, verdict: Verdict, queue: UUID | None) -> UUID:
        return record_review(databases, by, [job(databases, ids[number])], Review(verdict, queue=queue))

    give(CLEO, 0, Verdict.AGREE, None)
    for number, verdict in enumerate((Verdict.AGREE, Verdict.AGREE, Verdict.OVERTURN)):
        give(BEN, number, verdict, queue_id)
    take_back(databases, BEN, give(BEN, 3, Verdict.UNSURE, queue_id))
    give(BEN, 3, Verdict.UNSURE, sample_id)
    give(ANN, 0, Verdict.AGREE, queue_id)
    connection.execute("UPDATE reviews SET reviewed_at = '2026-01-01Z' WHERE person = %s", (ANN.name,))

    work = list_work(databases, ADMIN, datetime.now(UTC) - timedelta(days=7), {sample_id: "Sample a"})

    none = dict.fromkeys(Verdict, 0)
    assert work == [
        Work(BEN.name, "April", none | {Verdict.AGREE: 2, Verdict.OVERTURN: 1}),
        Work(BEN.name, "Sample a", none | {Verdict.UNSURE: 1}),
        Work(CLEO.name, None, none | {Verdict.AGREE: 1}),
    ]
    assert read_pace(databases, Wall(None), [queue_id]) == {queue_id: 3}
    assert read_pace(databases, Wall("other"), [queue_id]) == {}
    with pytest.raises(Forbidden):
        list_work(databases, ANN, NOON, {})


@pytest.mark.parametrize("of_sample", [True, False])
def test_a_verdict_has_what_its_queue_asks_for(
    databases: Databases, connection: psycopg.Connection, of_sample: bool
) -> None:
    """Also where the owner has begun to ask for it after the job was opened; what is refused is not recorded at all."""
    row = job(databases, insert_job(connection, is_prohibited=True))
    if of_sample:
        queue_id = draw_sample(databases, ADMIN, april(), Plan("a", 1), Judging(needs_categories=True))
    else:
        queue_id = save_queue(databases, ANN, WHOLE)
        edit_queue(databases, ANN, queue_id, replace(WHOLE, needs_categories=True, needs_note=True))
    given = Review(Verdict.AGREE, queue=queue_id)

    with pytest.raises(InvalidParameter, match="Choose the categories"):
        record_review(databases, BEN, [row], replace(given, note="why"))
    if not of_sample:
        with pytest.raises(InvalidParameter, match="This queue asks for a note"):
            record_review(databases, BEN, [row], replace(given, categories=frozenset(), note=" "))
    record_review(databases, BEN, [row], replace(given, categories=frozenset(), note="" if of_sample else "why"))

    assert connection.execute("SELECT verdict FROM reviews").fetchall() == [("agree",)]
    # Given elsewhere it needs nothing.
    record_review(databases, CLEO, [row], Review(Verdict.AGREE))
