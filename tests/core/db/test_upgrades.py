"""Upgrades from the releases before, with all that lies in their databases, and with an old process still at work."""

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from psycopg.types.json import Jsonb
from pydantic import SecretStr
from sqlalchemy import create_engine

from core.audit.chain import GENESIS, chain_hash
from core.counts.fact_upkeep import keep_facts
from core.csv.format import BOM
from core.db.startup import migrate, open_databases
from core.export.job_columns import HEADER
from core.settings import Settings

# The last migration of each branch that a release had.
RELEASES = {"0.2.0": ("fencepost_0003", "jobs_0005"), "0.3.0": ("fencepost_0004", "jobs_0006")}

# What a service wrote then, and an old process goes on writing.
JOBS = """
    INSERT INTO jobs (job_id, client_id, type, status, is_prohibited, created_at, prompt, reason)
    SELECT gen_random_uuid(), 'client-' || n %% 3, 'prompt', 'completed', CASE WHEN n %% 5 > 0 THEN n %% 2 = 0 END,
        timestamptz '2026-04-01 00:00Z' + n * interval '1 hour', 'a prompt', CASE WHEN n %% 2 = 0 THEN 'a rule' END
    FROM generate_series(%s::int, %s::int) AS n
"""
LOGS = """
    INSERT INTO moderation_logs (job_id, created_at, category_ai_adult_general, category_underage, category_nsfw)
    SELECT job_id, created_at, false, NULL, is_prohibited FROM jobs
    WHERE NOT EXISTS (SELECT FROM moderation_logs AS log WHERE log.job_id = jobs.job_id) AND client_id <> 'client-0'
"""
REVIEW = """
    INSERT INTO reviews (act_id, person, job_id, client_id, job_created_at, is_prohibited, evaluated, verdict, note)
    SELECT gen_random_uuid(), 'user:a|b', job_id, client_id, created_at, is_prohibited, false, 'agree', 'as it was then'
    FROM jobs WHERE is_prohibited ORDER BY created_at, job_id LIMIT 1
"""
PERIOD = ("--from", "2026-04-01T00:00:00Z", "--to", "2026-06-01T00:00:00Z")


def make_as(release: str, url: str) -> None:
    """Make the tables as a release made them."""
    config = Config()
    config.set_main_option("script_location", "core.db:migrations")
    config.set_main_option("path_separator", "os")
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:", 1))
    with engine.begin() as connection:
        config.attributes |= {"connection": connection, "partitioned": False}
        for revision in RELEASES[release]:
            command.upgrade(config, revision)
    engine.dispose()


def note_event(rows: psycopg.Connection) -> None:
    """Add the first event of an audit, as it was hashed then."""
    values = {
        "seq": 1,
        "at": datetime(2026, 4, 2, tzinfo=UTC),
        "event": "signed-in",
        "actor": "user:a|b",
        "address": "lead@example.com",
        "remote_address": None,
        "subject": None,
        "details": {},
    }
    rows.execute(
        "INSERT INTO audit_events (seq, at, event, actor, address, remote_address, subject, details, hash)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (*list(values.values())[:-1], Jsonb({}), chain_hash(None, GENESIS, values)),
    )


@pytest.mark.parametrize("release", RELEASES)
def test_all_that_a_release_has_stored_is_there_after_the_upgrade(
    release: str, empty_database_url: str, run_core: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    """Jobs, logs, verdicts and audit are as they were; what is kept beside the jobs is filled and right.

    A process of the release that is still running writes jobs, logs and verdicts as before, and these count, too.
    """
    make_as(release, empty_database_url)
    with psycopg.connect(empty_database_url, autocommit=True) as rows:
        rows.execute(JOBS, (1, 300))
        rows.execute(LOGS)
        rows.execute(REVIEW)
        note_event(rows)

        migrate(Settings(database_url=SecretStr(empty_database_url)))
        rows.execute(JOBS, (301, 400))
        rows.execute(LOGS)
        rows.execute("UPDATE reviews SET superseded_at = now()")
        rows.execute(REVIEW)

        databases = open_databases(Settings(database_url=SecretStr(empty_database_url)))
        databases.check()
        keep_facts(databases.ours)
        databases.close()
        ids = [f"{job}".encode() for (job,) in rows.execute("SELECT job_id FROM jobs ORDER BY created_at, job_id")]
        verdicts = rows.execute(
            "SELECT verdict, note, superseded_at IS NULL FROM reviews ORDER BY review_id"
        ).fetchall()
    facts, audit, export = (
        run_core(*arguments, DATABASE_URL=empty_database_url)
        for arguments in (("facts", "check"), ("audit", "verify"), ("export", *PERIOD))
    )

    assert (facts.returncode, facts.stdout) == (0, b"All facts are right.\n")
    assert audit.returncode == 0, audit.stderr
    assert export.stdout.startswith(BOM + HEADER)
    assert [line.split(b",")[0] for line in export.stdout.split(b"\n")[1:-1]] == ids
    assert len(ids) == 400
    assert verdicts == [("agree", "as it was then", False), ("agree", "as it was then", True)]
