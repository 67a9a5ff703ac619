"""Queues with many people at once, who are killed in between."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import psycopg
import pytest

from core.review.claims import CLAIM
from tests.conftest import ROOT
from tests.support.reviewers import judge_all
from tests.support.rows import NOON


def test_killed_reviewers_lose_nothing_and_judge_nothing_twice(
    database_url: str, connection: psycopg.Connection, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Each new job gets one verdict, and each rejected one another of somebody else; no claim is for ever.

    Two people never come back after they were killed: what was kept for them is free when their claim ends.
    """
    jobs = pytestconfig.getoption("--reviewers-jobs")
    people = [f"user:{number}" for number in range(20 if jobs > 1_000 else 6)]
    heard = tmp_path / "heard"
    connection.execute(
        "INSERT INTO jobs (job_id, client_id, type, status, is_prohibited, created_at)"
        " SELECT gen_random_uuid(), 'acme', 'prompt', 'completed', number %% 4 = 0, %s - number * interval '1 second'"
        " FROM generate_series(1, %s) AS number",
        (NOON, jobs),
    )

    command = [sys.executable, "-m", "tests.support.reviewers", database_url, str(heard)]
    crowd = [*command, str(5 if jobs < 1_000 else 40), *people]
    done = subprocess.run(crowd, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    kills, held = (int(number) for number in done.split())

    longest = connection.execute("SELECT max(ends_at) - now() FROM review_claims").fetchone()
    assert longest is not None
    assert longest[0] <= CLAIM
    connection.execute("UPDATE review_claims SET ends_at = ends_at - %s", (CLAIM,))
    for late in ("user:late", "user:later"):
        judge_all(database_url, heard, late)
    given = connection.execute("SELECT job_id::text, person FROM reviews").fetchall()
    assert len(given) == len(set(given)) == jobs + jobs // 4
    decided = connection.execute("SELECT job_id::text, is_prohibited FROM jobs").fetchall()
    wanted = {job_id: 2 if is_rejected else 1 for job_id, is_rejected in decided}
    assert Counter(job_id for job_id, _ in given) == wanted
    # What anybody was told to be recorded is, and each is in the audit once.
    assert {tuple(line.split()) for line in heard.read_text().splitlines()} <= set(given)
    recorded = connection.execute("SELECT count(*) FROM audit_events WHERE event = 'reviewed'").fetchone()
    assert recorded == (len(given),)
    print(f"{len(given)} verdicts, {len(people)} reviewers, {kills} killed, {held} of them at a job")  # noqa: T201
