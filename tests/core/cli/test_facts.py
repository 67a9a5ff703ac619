"""The commands that look after facts."""

import psycopg
import pytest

from core.counts.fact_upkeep import keep_facts
from core.db.databases import Databases
from tests.support.commands import RunCore, refusal
from tests.support.rows import NOON, insert_job, insert_log


@pytest.fixture
def wrong(databases: Databases, connection: psycopg.Connection) -> None:
    """Facts of three jobs on two days, one of which was changed while triggers were off."""
    for number in range(3):
        insert_log(connection, insert_job(connection, created_at=NOON.replace(day=15 + number // 2)))
    keep_facts(databases.ours)
    connection.execute("ALTER TABLE jobs DISABLE TRIGGER job_facts_update")
    connection.execute("UPDATE jobs SET is_prohibited = true WHERE created_at > %s", (NOON,))
    connection.execute("ALTER TABLE jobs ENABLE TRIGGER job_facts_update")


def test_what_is_right_is_said_to_be(run_core: RunCore, databases: Databases, connection: psycopg.Connection) -> None:
    """`facts check` of facts that are those of the jobs is one sentence."""
    insert_job(connection)
    keep_facts(databases.ours)

    done = run_core("facts", "check")

    assert (done.returncode, done.stdout, done.stderr) == (0, b"All facts are right.\n", b"")


@pytest.mark.usefixtures("wrong")
def test_what_is_wrong_is_counted_and_filled_anew(run_core: RunCore) -> None:
    """`facts check` ends with 1 and names the command that helps; after `facts rebuild` all are right."""
    found, rebuilt, again = run_core("facts", "check"), run_core("facts", "rebuild"), run_core("facts", "check")

    assert found.returncode == 1
    assert found.stdout.decode().splitlines() == [
        "1 fact is missing or wrong. Facts are in use.",
        "`python -m core facts rebuild` fills them anew while the service runs.",
    ]
    assert (rebuilt.returncode, rebuilt.stdout) == (0, b"")
    lines = rebuilt.stderr.decode().splitlines()
    assert lines[-1] == "All facts are filled."
    assert all(line.startswith("Filled the day from 2026-04-1") for line in lines[:-1])
    assert again.stdout == b"All facts are right.\n"


@pytest.mark.usefixtures("wrong")
def test_a_rebuild_that_was_stopped_goes_on(run_core: RunCore, connection: psycopg.Connection) -> None:
    """Until it is done nothing uses facts; then they are as far as if it had not been stopped."""
    connection.execute("UPDATE job_facts_state SET is_complete = false, filled_to = NULL")

    found, rebuilt = run_core("facts", "check"), run_core("facts", "rebuild")

    assert found.stdout.decode().splitlines()[0] == (
        "1 fact is missing or wrong. Facts are not filled yet, so that nothing uses them."
    )
    assert rebuilt.stderr.decode().splitlines()[-1] == "All facts are filled."
    assert run_core("facts", "check").returncode == 0


def test_a_source_of_somebody_else_is_not_written(run_core: RunCore, empty_database_url: str) -> None:
    """Where the jobs are not ours, both commands say where they are to be looked after."""
    with psycopg.connect(empty_database_url) as source:
        source.execute("CREATE TABLE jobs (job_id uuid); CREATE TABLE moderation_logs (log_id bigint)")

    for command in ("check", "rebuild"):
        assert refusal(run_core("facts", command, SOURCE_DATABASE_URL=empty_database_url), 1) == (
            "The jobs live in SOURCE_DATABASE_URL, which Fencepost never writes: look after them there."
        )
