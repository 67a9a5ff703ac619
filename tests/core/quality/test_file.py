"""A sample as a file: each drawn job with its weight, from which anybody gets the same figures."""

import asyncio
import csv
import io
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from uuid import UUID

import numpy as np
import psycopg
import pytest

from core.actor import COMMAND_LINE
from core.db.databases import Databases
from core.errors import StatementDropped
from core.jobs.strata import Stratification
from core.quality.answers import answer_sample
from core.quality.file import start_sample_file
from core.quality.samples import Plan, draw_sample
from core.review.verdicts import Verdict
from tests.core.audit.test_events import events
from tests.core.quality.test_answers import ANN, BOB, judge
from tests.core.quality.test_samples import drawn
from tests.support.changed_tables import change_while_waiting
from tests.support.documents import april
from tests.support.rows import insert_job

RunCore = Callable[..., CompletedProcess[bytes]]


def test_the_file_holds_every_job_with_its_weight(
    databases: Databases, connection: psycopg.Connection, run_core: RunCore, tmp_path: Path
) -> None:
    """Whole document: in the order of judging, guarded where a reason could be run; then the event of the file."""
    for number in range(4):
        insert_job(connection, job_id=UUID(int=number), is_prohibited=True, reason="=1")
    plan = Plan("a", 2, by=(Stratification.REASON,))
    sample_id = draw_sample(databases, COMMAND_LINE, april(), plan)
    first, second = drawn(connection, sample_id)
    judge(databases, ANN, first, Verdict.OVERTURN)
    judge(databases, BOB, first, Verdict.UNSURE)

    done = run_core("sample", "file", str(sample_id), "-o", str(tmp_path / "sample.csv"))

    assert done.returncode == 0, done.stderr
    same = 'acme,2026-04-15T12:00:00.000000Z,true,1,"[true, ""=1""]",4,2,2.0000000000000000'
    assert (tmp_path / "sample.csv").read_text(encoding="utf-8") == (
        "\ufeffplace,job_id,client_id,job_created_at,is_prohibited,stratum,stratum_values,stratum_jobs,stratum_drawn,"
        "weight,verdicts,wrong,right,unsure,answer,judged_weight\n"
        f"1,{first},{same},2,1,0,1,unclear,4.0000000000000000\n"
        f"2,{second},{same},0,0,0,0,,\n"
    )
    assert events(connection)[-1]["event"] == "sample-exported"


def test_no_file_is_made_of_tables_that_have_changed(databases: Databases, connection: psycopg.Connection) -> None:
    """A sample that is emptied and filled anew once the snapshot is taken would be a file without a job."""
    insert_job(connection, is_prohibited=True)
    sample_id = draw_sample(databases, COMMAND_LINE, april(), Plan("a", 1))
    change = """
        CREATE TABLE kept AS TABLE sample_jobs;
        BEGIN; TRUNCATE sample_jobs; INSERT INTO sample_jobs TABLE kept"""
    told: list[str] = []

    async def start() -> None:
        async with start_sample_file(databases, sample_id, COMMAND_LINE, first_byte_timeout=30):
            told.append("a file")

    def read() -> None:
        try:
            asyncio.run(start())
        except StatementDropped as error:
            told.append(str(error))

    change_while_waiting(connection, databases, change, read)

    assert told == ["The tables that this reads have just been changed: try again in a few seconds."]


@pytest.mark.parametrize("judged", [12, 7])
def test_the_weights_give_the_answer(
    databases: Databases, connection: psycopg.Connection, run_core: RunCore, tmp_path: Path, judged: int
) -> None:
    """The weighted share of wrong rejections in the file is that of the answer, also while the sample is judged."""
    ids = {insert_job(connection, is_prohibited=True, reason=reason) for reason in "a" * 30 + "b" * 10}
    plan = Plan("a", 12, by=(Stratification.REASON,), at_least=6)
    sample_id = draw_sample(databases, COMMAND_LINE, april(), plan)
    for number, job_id in enumerate(drawn(connection, sample_id)[:judged]):
        judge(databases, ANN, job_id, Verdict.OVERTURN if number % 3 else Verdict.AGREE)

    run_core("sample", "file", str(sample_id), "-o", str(tmp_path / "sample.csv"))

    rows = list(csv.DictReader(io.StringIO((tmp_path / "sample.csv").read_text(encoding="utf-8-sig"))))
    weights = [(float(row["judged_weight"]), row["answer"] == "wrong") for row in rows if row["answer"]]
    found = answer_sample(databases, sample_id, ("decision", "reason")).wrong_rejections.bounds
    assert found is not None
    assert sum(float(row["weight"]) for row in rows) == pytest.approx(len(ids))
    assert len(weights) == judged
    assert sum(weight for weight, _ in weights) == pytest.approx(len(ids))
    assert found.lower.share == pytest.approx(sum(weight * wrong for weight, wrong in weights) / len(ids))
    # What docs/quality.md says in R of the interval.
    strata = sorted({row["stratum"] for row in rows if row["answer"]})
    said = [[row for row in rows if row["answer"] and row["stratum"] == stratum] for stratum in strata]
    sizes = np.array([len(one) for one in said])
    jobs = np.array([sum(float(row["judged_weight"]) for row in one) for one in said])
    wrong = np.array([sum(row["answer"] == "wrong" for row in one) for one in said])
    share = (wrong + 0.5) / (sizes + 1)
    adds = jobs**2 * (1 / sizes - 1 / jobs) * share * (1 - share)
    half = adds / adds.sum() / 2
    random = np.random.default_rng(2)
    shares = random.beta(wrong + half, sizes - wrong + half, (100_000, len(strata)))
    likely = (wrong + random.binomial(np.round(jobs - sizes).astype(int), shares)).sum(axis=1) / len(ids)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(likely, (0.025, 0.975))), abs=1.5 / len(ids))
