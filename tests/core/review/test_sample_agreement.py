"""Whether those who judged the jobs of a sample agree."""

import psycopg
import pytest

from core.actor import COMMAND_LINE
from core.db.databases import Databases
from core.jobs.filter import Category
from core.jobs.strata import Stratification
from core.quality.samples import Judging, Plan, draw_sample
from core.review.agreement import Agreement, measure
from core.review.sample_agreement import measure_agreement_of
from core.review.verdicts import Review, Verdict, record_review
from tests.core.quality.test_answers import ANN, BOB
from tests.core.review.test_verdicts import CLEO, job
from tests.support.documents import april
from tests.support.rows import insert_job


def test_it_is_of_decisions_reasons_and_categories(databases: Databases, connection: psycopg.Connection) -> None:
    """By reason where the sample tells jobs apart by it; unsure says nothing; categories count where they were said."""
    ids = [insert_job(connection, is_prohibited=True, reason="list 7" if number < 3 else None) for number in range(5)]
    other = insert_job(connection, is_prohibited=True, reason="list 7")
    by = (Stratification.DECISION, Stratification.REASON)
    sample_id = draw_sample(databases, COMMAND_LINE, april(), Plan("a", 6, by), Judging(opinions=2))
    flags = frozenset({Category.NSFW})
    for number, job_id in enumerate(ids):
        judged = [job(databases, job_id)]
        record_review(databases, ANN, judged, Review(Verdict.AGREE, flags))
        record_review(
            databases,
            BOB,
            judged,
            Review(Verdict.OVERTURN if number == 0 else Verdict.AGREE, flags if number else frozenset()),
        )
    record_review(databases, ANN, [job(databases, other)], Review(Verdict.OVERTURN))
    record_review(databases, CLEO, [job(databases, other)], Review(Verdict.UNSURE))
    insert_job(connection, is_prohibited=True)

    found = measure_agreement_of(databases, sample_id, [kind.value for kind in by])
    coarse = measure_agreement_of(databases, sample_id, ["decision"])

    assert found.decisions == measure({(2, 0): 4, (1, 1): 1})
    assert found.decisions.alpha == pytest.approx(0.0)
    assert found.reasons == {"list 7": measure({(2, 0): 2, (1, 1): 1}), None: Agreement(2, 2)}
    assert found.categories[Category.NSFW] == measure({(2, 0): 4, (1, 1): 1})
    assert found.categories[Category.UNDERAGE] == Agreement(5, 5)
    assert coarse.reasons is None
