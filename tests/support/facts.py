"""Random writers of jobs and logs, and a comparison of what is kept beside the jobs with these."""

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg

from core.db.databases import Databases
from core.jobs.filter import Category
from tests.support.rows import insert_job, insert_log

START = datetime(2026, 4, 1, tzinfo=UTC)

_LATEST = """
    SELECT job.created_at, job.job_id, job.client_id,
        job_facts_code(job.is_prohibited, log.evaluated, log.category_ai_adult_general, log.category_underage,
            log.category_nsfw) AS code,
        to_char(job.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_text,
        to_char(job.completed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS completed_text
    FROM jobs AS job LEFT JOIN LATERAL (
        SELECT true AS evaluated, * FROM moderation_logs WHERE job_id = job.job_id
        ORDER BY created_at DESC, log_id DESC LIMIT 1
    ) AS log ON true
"""

# Facts as readers take them: those of unsettled jobs from the jobs themselves.
_FACTS = f"""
    SELECT created_at, job_id, client_id, code, created_text, completed_text FROM job_facts
    WHERE NOT EXISTS (SELECT FROM job_facts_unsettled AS note WHERE note.job_id = job_facts.job_id)
    UNION ALL
    SELECT * FROM ({_LATEST}) AS direct WHERE job_id IN (SELECT job_id FROM job_facts_unsettled)
"""

_WRONG = (
    "SELECT * FROM ((TABLE direct EXCEPT ALL TABLE facts) UNION ALL (TABLE facts EXCEPT ALL TABLE direct)) AS wrong"
)
IDS = [UUID(int=number) for number in range(1, 9)]


def connect(databases: Databases) -> psycopg.Connection:
    """Open a connection that commits at once, and waits for no lock for ever."""
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
    """Tell whether questions may go to the facts."""
    row = connection.execute("SELECT is_complete AND relations = job_facts_relations() FROM job_facts_state").fetchone()
    return bool(row and row[0])


def act(rng: random.Random, connection: psycopg.Connection, *, own: int, has_key: bool) -> None:
    """Do something at random to jobs and logs.

    Only one connection inserts jobs of an id: months do not keep ids from being given twice, which nobody may do.
    """
    job_id, at = rng.choice(IDS), START + timedelta(days=rng.randrange(70), minutes=rng.randrange(3))
    decision = rng.choice([True, False, None])
    cells = {category.column: rng.choice([True, False, None]) for category in Category}
    exists = connection.execute("SELECT FROM jobs WHERE job_id = %s", (job_id,)).fetchone() is not None
    reason = rng.choice([None, "", "a reason", "another"])
    completed = rng.choice([None, at, at + timedelta(microseconds=120)])
    match rng.randrange(14):
        case 0 | 1 | 2:
            if not exists and job_id.int % 2 == own:
                insert_job(
                    connection,
                    job_id=job_id,
                    created_at=at,
                    is_prohibited=decision,
                    client_id=rng.choice("ab"),
                    reason=reason,
                    completed_at=completed,
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
        case 13:
            connection.execute("UPDATE jobs SET completed_at = %s WHERE job_id = %s", (completed, job_id))
