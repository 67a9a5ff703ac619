"""Facts of jobs, kept beside them: always what the jobs and their latest logs say, or not used."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from core.counts.fact_upkeep import begin_anew, keep_facts
from core.db.databases import Databases
from core.db.startup import migrate, open_databases
from core.jobs.fact_query import FACTS
from core.jobs.filter import Category
from core.settings import Settings
from tests.support.rows import insert_job, insert_log

START = datetime(2026, 4, 1, tzinfo=UTC)

_LATEST = """
    SELECT job.created_at, job.job_id, job.client_id,
        job_facts_code(job.is_prohibited, log.evaluated, log.category_ai_adult_general, log.category_underage,
            log.category_nsfw) AS code
    FROM jobs AS job LEFT JOIN LATERAL (
        SELECT true AS evaluated, * FROM moderation_logs WHERE job_id = job.job_id
        ORDER BY created_at DESC, log_id DESC LIMIT 1
    ) AS log ON true
"""

# Facts as readers take them: those of unsettled jobs from the jobs themselves.
_FACTS = f"""
    SELECT created_at, job_id, client_id, code FROM job_facts
    WHERE NOT EXISTS (SELECT FROM job_facts_unsettled AS note WHERE note.job_id = job_facts.job_id)
    UNION ALL
    SELECT * FROM ({_LATEST}) AS direct WHERE job_id IN (SELECT job_id FROM job_facts_unsettled)
"""

_WRONG = (
    "SELECT * FROM ((TABLE direct EXCEPT ALL TABLE facts) UNION ALL (TABLE facts EXCEPT ALL TABLE direct)) AS wrong"
)
IDS = [UUID(int=number) for number in range(1, 9)]


@pytest.fixture(params=[False, True], ids=["table", "months"])
def kept(request: pytest.FixtureRequest, empty_database_url: str) -> Iterator[Databases]:
    """An ordinary database, and one whose jobs are in months."""
    settings_ = Settings(database_url=SecretStr(empty_database_url))
    migrate(settings_, partitioned=request.param)
    databases = open_databases(settings_)
    yield databases
    databases.close()


def connect(databases: Databases) -> psycopg.Connection:
    connection = psycopg.connect(databases.ours.conninfo, options="-c lock_timeout=30s")
    connection.autocommit = True
    return connection


def check(connection: psycopg.Connection) -> None:
    """Compare facts and counts with what the jobs say."""
    with connection.transaction():
        wrong = connection.execute(f"WITH direct AS ({_LATEST}), facts AS ({_FACTS}) {_WRONG}").fetchall()
        assert wrong == []
        counted = connection.execute(
            "SELECT hour, client_id, code, sum(total) FROM job_counts GROUP BY 1, 2, 3 HAVING sum(total) <> 0"
            " ORDER BY 1, 2, 3"
        ).fetchall()
        facts = connection.execute(
            "SELECT hour, client_id, code, count(*) FROM"
            " (SELECT date_bin('1 hour', created_at, '2000-01-01Z') AS hour, client_id, code FROM job_facts) AS fact"
            " GROUP BY GROUPING SETS ((1, 2, 3), (1, 3)) ORDER BY 1, 2, 3".replace(
                "(1, 2, 3), (1, 3)", "(hour, client_id, code), (hour, code)"
            )
        ).fetchall()
        assert counted == facts
        assert connection.execute("SELECT job_reasons_count_wrong()").fetchone() == (0,)


def are_complete(connection: psycopg.Connection) -> bool:
    row = connection.execute("SELECT is_complete AND relations = job_facts_relations() FROM job_facts_state").fetchone()
    return bool(row and row[0])


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


def _act(rng: random.Random, connection: psycopg.Connection, *, own: int, has_key: bool) -> None:
    """Do something at random to jobs and logs.

    Only one connection inserts jobs of an id: months do not keep ids from being given twice, which nobody may do.
    """
    job_id, at = rng.choice(IDS), START + timedelta(days=rng.randrange(70), minutes=rng.randrange(3))
    decision = rng.choice([True, False, None])
    cells = {category.column: rng.choice([True, False, None]) for category in Category}
    exists = connection.execute("SELECT FROM jobs WHERE job_id = %s", (job_id,)).fetchone() is not None
    reason = rng.choice([None, "", "a reason", "another"])
    match rng.randrange(13):
        case 0 | 1 | 2:
            if not exists and job_id.int % 2 == own:
                insert_job(
                    connection,
                    job_id=job_id,
                    created_at=at,
                    is_prohibited=decision,
                    client_id=rng.choice("ab"),
                    reason=reason,
                )
        case 3 | 4 | 5:
            if exists or not has_key:
                insert_log(connection, job_id, created_at=at, **cells)
        case 6:
            connection.execute("UPDATE jobs SET is_prohibited = %s WHERE job_id = %s", (decision, job_id))
        case 7:
            connection.execute("UPDATE jobs SET created_at = %s, client_id = 'c' WHERE job_id = %s", (at, job_id))
        case 8:
            connection.execute("DELETE FROM jobs WHERE job_id = %s", (job_id,))
        case 9:
            connection.execute("DELETE FROM moderation_logs WHERE job_id = %s AND log_id %% 2 = 0", (job_id,))
        case 10:
            connection.execute(
                "UPDATE moderation_logs SET category_nsfw = %s, created_at = %s WHERE job_id = %s",
                (rng.choice([True, False, None]), at, job_id),
            )
        case 11:
            connection.execute("UPDATE jobs SET reason = %s WHERE job_id = %s", (reason, job_id))
        case 12:
            other = rng.choice(IDS)
            if not has_key or connection.execute("SELECT FROM jobs WHERE job_id = %s", (other,)).fetchone():
                connection.execute("UPDATE moderation_logs SET job_id = %s WHERE job_id = %s", (other, job_id))


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000))
def test_facts_are_those_of_the_jobs_after_each_commit(kept: Databases, seed: int) -> None:
    """Whatever two connections write at the same time, in whatever isolation, facts and counts are right afterwards."""
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
            try:
                _act(rng, writer, own=int(writer is first), has_key=has_key)
                open_for[writer] -= 1
                if open_for[writer] == 0:
                    writer.execute(rng.choice(["COMMIT", "COMMIT", "COMMIT", "ROLLBACK"]))
            except (psycopg.errors.OperationalError, psycopg.errors.IntegrityError):
                writer.execute("ROLLBACK")
                open_for[writer] = 0
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
