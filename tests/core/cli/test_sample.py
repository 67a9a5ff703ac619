"""The commands that draw samples and answer them."""

from uuid import UUID

import psycopg

from core.db.databases import Databases
from core.review.verdicts import Verdict
from tests.core.quality.test_answers import ANN, judge
from tests.core.quality.test_samples import drawn
from tests.support.commands import RunCore, refusal
from tests.support.rows import insert_job

APRIL = ("--from", "2026-04-01T00:00:00Z", "--to", "2026-05-01T00:00:00Z")


def test_a_sample_is_drawn_judged_and_answered(
    run_core: RunCore, databases: Databases, connection: psycopg.Connection
) -> None:
    """`draw` prints the id and nothing else, `list` names it, and `show` says what the verdicts mean."""
    for number in range(10):
        insert_job(connection, is_prohibited=True, reason="list 7" if number < 4 else None)

    done = run_core("sample", "draw", "--name", "April", "--size", "10", "--strata", "reason", *APRIL)
    sample_id = done.stdout.decode().strip()
    for place, job_id in enumerate(drawn(connection, UUID(sample_id))):
        judge(databases, ANN, job_id, Verdict.OVERTURN if place < 5 else Verdict.AGREE)
    listed, shown = run_core("sample", "list"), run_core("sample", "show", sample_id)

    assert (done.returncode, done.stderr) == (0, b"")
    assert listed.stdout.decode().split()[0::2] == [sample_id, "April"]
    lines = shown.stdout.decode().splitlines()
    assert lines[0] == "April: 10 of 10 jobs judged."
    assert lines[1] == "Rejections that are wrong: 50.0% (with 95 % between 50.0% and 50.0%)."
    assert lines[2] == "Passes that should have been rejected: this sample does not say: the sample has no such jobs."
    assert lines[-3].startswith("Intervals are of chance in drawing alone. How often reviewers err is not known: ")
    assert [line.split(":")[0] for line in lines[-2:]] == ["Rejected, “list 7”", "Rejected, no reason"]


def test_what_cannot_be_drawn_or_shown_is_one_line(run_core: RunCore, connection: psycopg.Connection) -> None:
    """Unknown strata are wrong usage; an unknown sample, and nothing to draw, could not be."""
    draw = ("sample", "draw", "--name", "a", "--size", "10", *APRIL)

    assert refusal(run_core(*draw, "--strata", "colour"), 2) == (
        "strata is not a list of decision, category, reason, client: correct it."
    )
    assert refusal(run_core(*draw), 1) == "No decided job matches: choose other jobs."
    missing = "00000000-0000-0000-0000-000000000000"
    assert refusal(run_core("sample", "show", missing), 1) == (
        f"There is no sample {missing}: `python -m core sample list` names those that there are."
    )
