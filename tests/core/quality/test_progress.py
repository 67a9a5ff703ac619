"""How far a sample is, and which of its jobs are not as they were drawn."""

import psycopg

from core.actor import COMMAND_LINE
from core.db.databases import Databases
from core.quality.progress import Lapsed, find_lapsed, read_progress
from core.quality.samples import Judging, Plan, draw_sample, find_sample
from core.review.verdicts import Verdict
from tests.core.quality.test_answers import ANN, BOB, EVERYBODY, judge
from tests.support.documents import april
from tests.support.rows import insert_job


def test_progress_counts_the_opinions_that_are_wanted(databases: Databases, connection: psycopg.Connection) -> None:
    """Of four jobs with two opinions each three opinions are given; at three a day the rest takes 1 2/3 days."""
    ids = [insert_job(connection, is_prohibited=True) for _ in range(4)]
    sample_id = draw_sample(databases, COMMAND_LINE, april(), Plan("a", 4), Judging(opinions=2))
    for person, job_id in ((ANN, ids[0]), (BOB, ids[0]), (ANN, ids[1])):
        judge(databases, person, job_id, Verdict.AGREE)
    connection.execute("UPDATE reviews SET reviewed_at = now() - interval '1 day'")
    sample = find_sample(databases, EVERYBODY, sample_id)
    assert sample is not None

    found = read_progress(databases, sample)

    assert (found.wanted, found.given) == (8, 3)
    assert found.per_day is not None
    assert round(found.per_day, 1) == 3.0
    assert found.done_at is not None
    (days,) = connection.execute("SELECT extract(epoch FROM %s - now()) / 86400", (found.done_at,)).fetchone() or (0,)
    assert round(float(days), 1) == 1.7


def test_jobs_that_are_gone_or_changed_are_told(databases: Databases, connection: psycopg.Connection) -> None:
    """A job that was deleted, and one whose decision is another; not one that was judged before it changed."""
    gone, changed, judged, _ = (insert_job(connection, is_prohibited=True) for _ in range(4))
    sample_id = draw_sample(databases, COMMAND_LINE, april(), Plan("a", 4))
    judge(databases, ANN, judged, Verdict.AGREE)
    connection.execute("DELETE FROM jobs WHERE job_id = %s", (gone,))
    connection.execute("UPDATE jobs SET is_prohibited = false WHERE job_id = ANY(%s)", ([changed, judged],))

    assert find_lapsed(databases, EVERYBODY, sample_id) == Lapsed((gone,), (changed,))
