"""However much is looked at, exported and reviewed: after the daily task our tables are as large as before."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest

from core.actor import DEMO_PERSON, HOUSE
from core.audit.events import Event, record
from core.audit.verification import check_chain
from core.db.databases import Databases
from core.keeping.forgetting import forget_old
from core.review.claims import claim
from core.review.drafts import keep_draft
from core.review.verdicts import Review, Verdict, record_review
from core.settings import Settings
from tests.core.keeping.test_forgetting import KEEPING, sign_in
from tests.core.review.test_verdicts import job
from tests.support.documents import april, export_document
from tests.support.rows import insert_job

JOBS, PEOPLE, ROUNDS = 5, 3, 3

# Tables and their indexes, without those of the jobs.
SIZES = """
    SELECT relname::text, pg_total_relation_size(pg_class.oid)::int FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname !~ '^(jobs|job_|moderation_logs)'
"""


def sizes(connection: psycopg.Connection) -> dict[str, int]:
    return dict(connection.execute(SIZES).fetchall())


def rows(connection: psycopg.Connection) -> dict[str, int]:
    counted = {}
    for table in sizes(connection):
        (counted[table],) = connection.execute(f"SELECT count(*)::int FROM {table}".encode()).fetchone() or (0,)
    return counted


def test_what_is_forgotten_makes_room(
    databases: Databases, settings: Settings, connection: psycopg.Connection, pytestconfig: pytest.Config
) -> None:
    """Page views, exports and reviews by the thousand (`make soak`): after each day's end nothing has grown.

    Each round is a day of its own, long past when the next one ends.
    """
    acts = pytestconfig.getoption("acts") // ROUNDS
    keeping = settings.model_copy(update=KEEPING)
    jobs = [job(databases, insert_job(connection)) for _ in range(JOBS)]
    people = [replace(DEMO_PERSON, name=f"user:{number}") for number in range(PEOPLE)]
    before, after, counted = [], [], []
    for day in range(ROUNDS):
        for number in range(acts):
            person, one = people[number % PEOPLE], jobs[number % JOBS]
            match number // 15 % 3:
                case 0:
                    for event in (Event.JOBS_LISTED, Event.JOB_OPENED):
                        record(databases, event, person, subject=str(one.job_id), details={"shown": 50})
                    sign_in(connection, person.name, timedelta(seconds=number + day * acts))
                case 1:
                    export_document(databases, april())
                case _:
                    claim(databases.ours, person, one.job_id)
                    keep_draft(databases.ours, person, uuid4(), "a note that becomes no verdict")
                    for verdict in (Verdict.AGREE, Verdict.OVERTURN):
                        record_review(databases, person, [one], Review(verdict, note="a note"))
        before.append(sum(sizes(connection).values()))
        list(forget_old(databases, keeping, HOUSE, datetime.now(UTC) + timedelta(days=400)))
        after.append(sum(sizes(connection).values()))
        counted.append(rows(connection))

    # A few pages that happen to be half empty are no growth.
    assert after[-1] <= after[0] * 1.1 + 2**18, (before, after)
    assert counted[-1] == counted[0]
    # What counts, and what counts again where that is taken back.
    assert counted[0]["reviews"] == 2 * PEOPLE * JOBS
    assert max(counted[0][table] for table in ("exports", "sessions", "review_drafts", "review_claims")) == 0
    check_chain(databases)
