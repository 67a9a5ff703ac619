"""Facts of jobs, kept beside them: always what the jobs and their latest logs say, or not used."""

import random

import psycopg
import pytest

from core.counts.fact_upkeep import begin_anew, count_wrong, keep_facts
from core.db.databases import Databases
from core.jobs.fact_query import FACTS
from core.jobs.filter import Category
from tests.support.facts import START, act, are_complete, check, connect
from tests.support.rows import insert_job


def test_codes_are_the_same_in_python_and_in_sql(connection: psycopg.Connection) -> None:
    """Each combination of decision and log has the code at whose place Python has it."""
    codes = [
        connection.execute(
            "SELECT job_facts_code(%s, %s, %s, %s, %s)",
            (fact.is_prohibited, fact.evaluated or None, *(fact.cells[category] for category in Category)),
        ).fetchone()
        for fact in FACTS
    ]

    assert codes == [(code,) for code in range(84)]


def test_facts_are_those_of_the_jobs_after_each_commit(kept: Databases, pytestconfig: pytest.Config) -> None:
    """Whatever two connections write at the same time, in whatever isolation, facts and counts are right afterwards."""
    for seed in range(pytestconfig.getoption("--histories")):
        write_history(kept, seed)


def write_history(kept: Databases, seed: int) -> None:
    """Let two connections write whatever a seed says, and check all that is counted after each commit."""
    rng = random.Random(seed)
    with connect(kept) as first, connect(kept) as second, connect(kept) as reader:
        reader.execute("TRUNCATE jobs, moderation_logs, job_facts_unsettled")
        has_key = reader.execute("SELECT FROM pg_constraint WHERE contype = 'f'").fetchone() is not None
        open_for = {first: 0, second: 0}
        for _ in range(40):
            writer = rng.choice([first, second])
            if open_for[writer] == 0:
                writer.execute(
                    f"BEGIN ISOLATION LEVEL {rng.choice(['READ COMMITTED'] * 3 + ['REPEATABLE READ', 'SERIALIZABLE'])}"
                )
                writer.execute("SET LOCAL lock_timeout = '20ms'")
                role = rng.choice(["origin"] * 4 + ["replica"])
                writer.execute(f"SET LOCAL session_replication_role = {role}")
                open_for[writer] = rng.randrange(1, 4)
            is_committed = False
            try:
                act(rng, writer, own=int(writer is first), has_key=has_key)
                open_for[writer] -= 1
                if open_for[writer] == 0:
                    end = rng.choice(["COMMIT", "COMMIT", "COMMIT", "ROLLBACK"])
                    writer.execute(end)
                    is_committed = end == "COMMIT"
            except (psycopg.errors.OperationalError, psycopg.errors.IntegrityError):
                writer.execute("ROLLBACK")
                open_for[writer] = 0
            if is_committed:
                check(reader)
            if rng.random() < 0.1:
                keep_facts(kept.ours)
                check(reader)
        for writer in (first, second):
            if open_for[writer]:
                writer.execute("COMMIT")
        check(reader)
        keep_facts(kept.ours)
        keep_facts(kept.ours)
        check(reader)
        assert reader.execute("SELECT count(*) FROM job_facts_unsettled").fetchone() == (0,)
        assert are_complete(reader)


@pytest.mark.parametrize("role", ["origin", "replica"])
@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ"])
def test_a_reason_that_changes_is_counted_anew(kept: Databases, role: str, isolation: str) -> None:
    """By itself, and with its job that is put back as it was, whatever the session; until then jobs are asked."""
    with connect(kept) as connection:
        job_id = insert_job(connection, created_at=START, is_prohibited=True, reason="before")
        keep_facts(kept.ours)
        for statements in (
            ["UPDATE jobs SET reason = 'after'"],
            ["UPDATE jobs SET reason = NULL"],
            ["CREATE TEMPORARY TABLE copy AS TABLE jobs", "DELETE FROM jobs", "UPDATE copy SET reason = 'again'",
             "INSERT INTO jobs TABLE copy", "DROP TABLE copy"],
        ):  # fmt: skip
            connection.execute(f"BEGIN ISOLATION LEVEL {isolation}")
            connection.execute(f"SET LOCAL session_replication_role = {role}")
            for statement in statements:
                connection.execute(statement)
            connection.execute("COMMIT")
            check(connection)
            keep_facts(kept.ours)
            keep_facts(kept.ours)
            check(connection)
        counted = connection.execute(
            "SELECT client_id, total FROM job_reason_counts WHERE reason_hash = hashtextextended('again', 0) ORDER BY 1"
        ).fetchall()
        assert counted == [("acme", 1), (None, 1)]
        assert connection.execute("SELECT job_id FROM jobs").fetchall() == [(job_id,)]


def test_filling_anew_counts_reasons_anew(kept: Databases) -> None:
    """What was written while triggers were off is found, and put right by what fills facts."""
    with connect(kept) as connection:
        for number in range(5):
            insert_job(connection, created_at=START, prompt=f"prompt {number}", reason="before")
        keep_facts(kept.ours)
        connection.execute("ALTER TABLE jobs DISABLE TRIGGER USER")
        connection.execute("UPDATE jobs SET reason = 'after'")
        connection.execute("ALTER TABLE jobs ENABLE TRIGGER USER")
        connection.execute("ALTER TABLE jobs ENABLE ALWAYS TRIGGER job_facts_truncate")
        connection.execute("ALTER TABLE jobs ENABLE REPLICA TRIGGER job_facts_replica")
        assert connection.execute("SELECT job_reasons_count_wrong()").fetchone() != (0,)

        begin_anew(kept.ours)
        keep_facts(kept.ours)

        check(connection)
        assert connection.execute("SELECT reason, cardinality(prompts) FROM job_reasons").fetchall() == [("after", 5)]
        connection.execute("TRUNCATE jobs, moderation_logs")
        check(connection)
        assert connection.execute("SELECT FROM job_reason_counts UNION ALL SELECT FROM job_reasons").fetchall() == []


def test_times_that_nobody_has_written_yet_are_no_fault_and_filling_anew_writes_them(kept: Databases) -> None:
    """As facts are that were there before times were kept with them; other times than the job's are a fault."""
    with connect(kept) as connection:
        for number in range(3):
            insert_job(connection, created_at=START, completed_at=None if number else START)
        connection.execute("UPDATE job_facts SET created_text = NULL, completed_text = NULL")
        with kept.ours.transaction() as ours:
            assert count_wrong(ours) == 0

        begin_anew(kept.ours)
        keep_facts(kept.ours)

        check(connection)
        connection.execute("UPDATE job_facts SET completed_text = created_text")
        with kept.ours.transaction() as ours:
            assert count_wrong(ours) == 2


@pytest.mark.parametrize("at", ["294276-12-31 10:00Z", "294276-12-31 23:59:59.999999Z", "infinity"])
def test_a_job_of_the_last_day_keeps_no_other_from_its_facts(kept: Databases, at: str) -> None:
    """After the last day that PostgreSQL knows there is none that facts could be filled to; nor after its last hour."""
    with connect(kept) as connection:
        for _ in range(2):
            insert_job(connection, created_at=START, reason="known", is_prohibited=True)
        odd = "SELECT job_id FROM jobs ORDER BY job_id LIMIT 1"
        connection.execute(f"UPDATE jobs SET created_at = %s WHERE job_id = ({odd})", [at])

        keep_facts(kept.ours)
        begin_anew(kept.ours)
        keep_facts(kept.ours)

        assert are_complete(connection)
        with kept.ours.transaction() as ours:
            assert count_wrong(ours) == 0
