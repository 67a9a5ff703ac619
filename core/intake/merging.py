"""Staged records become jobs: which of two records counts, whose jobs they are, and their logs.

Everything here runs behind the lock of imports, so that what is found is still so when it is changed.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from core.errors import NotPossible
from core.intake.demo import PREFIX
from core.intake.guards import GUARDS, TEXTS, take_guard_off
from core.jobs.filter import Category

_FLAGS = tuple(category.column for category in Category)

# What an older form of the file does not have: it is filled in where it is known, and never emptied.
_API_KEY = ("api_key_id", "api_key_name")

# Decided beats undecided, then the later completion wins, then the further status.
_RANK = (
    "({0}.is_prohibited IS NOT NULL, coalesce({0}.completed_at, '-infinity'),"
    " array_position(ARRAY['queued', 'processing', 'failed', 'completed'], {0}.status))"
)


@dataclass(frozen=True, slots=True)
class Merged:
    """What became of the jobs of a file, how many logs are new, and how many records are of erased jobs."""

    inserted: int
    updated: int
    unchanged: int
    logs: int
    erased: int


def merge_records(connection: Connection, client_id: str, name: str, *, has_guards: bool) -> Merged:
    """Make the staged records jobs of a client.

    What is equal stays as it is. Raises `NotPossible` where another client has one of the jobs: an import never moves a
    job from one to another.
    """
    connection.execute(text("ANALYZE staged_jobs (job_id)"))
    erased = _leave_out_erased(connection)
    _keep_best_records(connection)
    total = connection.execute(text("SELECT count(*) FROM staged_jobs")).scalar_one()
    known = _find_known_jobs(connection, client_id, name)
    texts = {column: f"staged_jobs.{column}" for column in TEXTS}
    if has_guards:
        texts = {column: take_guard_off(staged) for column, staged in texts.items()}
    updated = _update_jobs(connection, client_id, texts, has_guards=has_guards) if known else 0
    inserted, logs = _insert(connection, client_id, texts)
    return Merged(inserted, updated, total - inserted - updated, logs, erased)


def _leave_out_erased(connection: Connection) -> int:
    """Leave out the records of jobs that were erased for good; return how many they are."""
    gone = "DELETE FROM staged_jobs USING erased_jobs WHERE erased_jobs.job_id = staged_jobs.job_id"
    return connection.execute(text(gone)).rowcount


def _keep_best_records(connection: Connection) -> None:
    """Of one job's records in a file keep the best, by the same rule as between file and database; else the last."""
    connection.execute(
        text(f"""
            DELETE FROM staged_jobs USING (
                SELECT record, row_number() OVER (
                    PARTITION BY job_id ORDER BY {_RANK.format("staged")} DESC, record DESC
                ) AS place
                FROM staged_jobs AS staged
                WHERE job_id IN (SELECT job_id FROM staged_jobs GROUP BY job_id HAVING count(*) > 1)
            ) AS ranked
            WHERE ranked.record = staged_jobs.record AND place > 1
        """)
    )


def _find_known_jobs(connection: Connection, client_id: str, name: str) -> int:
    """Note which of the staged jobs are there already, and how each compares; return how many they are.

    `comparison` is 1 where the record is better than the job, 0 where neither is, -1 where the job is better.
    """
    new, old = _RANK.format("staged_jobs"), _RANK.format("jobs")
    connection.execute(
        text(f"""
            CREATE TEMPORARY TABLE known_jobs ON COMMIT DROP AS
            SELECT record, client_id <> :client_id AS is_others,
                ({new} > {old})::int - ({new} < {old})::int AS comparison
            FROM staged_jobs JOIN jobs USING (job_id)
        """),
        {"client_id": client_id},
    )
    connection.execute(text("ANALYZE known_jobs"))
    known, other = connection.execute(text("SELECT count(*), count(*) FILTER (WHERE is_others) FROM known_jobs")).one()
    if other:
        jobs_ = "1 job" if other == 1 else f"{other:,} jobs"
        raise NotPossible(f"{name} holds {jobs_} that another client has already: import it under that client's name.")
    return int(known)


def _update_jobs(connection: Connection, client_id: str, texts: dict[str, str], *, has_guards: bool) -> int:
    """Change the jobs whose record is better; mend those stored with their guards, or without their API key."""
    given = {column: f"nullif(staged_jobs.{column}, '')" for column in _API_KEY}
    mended = " OR ".join(f"comparison = 0 AND jobs.{column} IS NULL AND {key} <> ''" for column, key in given.items())
    if has_guards:
        stored = " AND ".join(f"jobs.{column} IS NOT DISTINCT FROM staged_jobs.{column}" for column in TEXTS)
        differs = " OR ".join(f"{bare} <> staged_jobs.{column}" for column, bare in texts.items())
        mended += f" OR comparison = 0 AND {stored} AND ({differs})"
    # Told apart by the id alone, because where jobs are in months the same id in another one is another job to
    # PostgreSQL.
    result = connection.execute(
        text(f"""
            UPDATE jobs SET status = staged_jobs.status, is_prohibited = staged_jobs.is_prohibited,
                created_at = staged_jobs.created_at, completed_at = staged_jobs.completed_at,
                {", ".join(f"{column} = {value}" for column, value in texts.items())},
                {", ".join(f"{column} = coalesce({key}, jobs.{column})" for column, key in given.items())}
            FROM staged_jobs JOIN known_jobs USING (record)
            WHERE jobs.job_id = staged_jobs.job_id AND jobs.client_id = :client_id AND (comparison > 0 OR {mended})
        """),
        {"client_id": client_id} | (GUARDS if has_guards else {}),
    )
    return result.rowcount


def _insert(connection: Connection, client_id: str, texts: dict[str, str]) -> tuple[int, int]:
    """Insert the jobs that are not there yet, in the order of exports, and logs; return how many of each.

    A log is added where a record has flags that differ from the job's latest ones, and is not older than the job. Both
    in one statement: the facts of a job are written when its log is there already, and not changed once more for it.
    """
    bare = {"status": "status", **texts, **{column: f"nullif({column}, '')" for column in _API_KEY}}
    flags = ", ".join(_FLAGS)
    has_flags = " OR ".join(f"staged_jobs.{flag} IS NOT NULL" for flag in _FLAGS)
    differs = " OR ".join(f"staged_jobs.{flag} IS DISTINCT FROM latest.{flag}" for flag in _FLAGS)
    # A log that is older than the latest would not count, and would be added once more each time.
    inserted, logs = connection.execute(
        text(f"""
            WITH inserted AS (
                INSERT INTO jobs (job_id, client_id, is_prohibited, created_at, completed_at, {", ".join(bare)})
                SELECT job_id, :client_id, is_prohibited, created_at, completed_at, {", ".join(bare.values())}
                FROM staged_jobs WHERE NOT EXISTS (SELECT FROM known_jobs WHERE known_jobs.record = staged_jobs.record)
                {"" if _is_in_order(connection) else "ORDER BY created_at, job_id"}
                RETURNING 1
            ), logged AS (
                INSERT INTO moderation_logs (job_id, created_at, {flags})
                SELECT staged_jobs.job_id, greatest(coalesce(completed_at, staged_jobs.created_at), latest.created_at),
                    {", ".join(f"staged_jobs.{flag}" for flag in _FLAGS)}
                FROM staged_jobs LEFT JOIN known_jobs USING (record) LEFT JOIN (
                    SELECT DISTINCT ON (staged_jobs.job_id) staged_jobs.job_id, log.created_at,
                        {", ".join(f"log.{flag}" for flag in _FLAGS)}
                    FROM staged_jobs JOIN moderation_logs AS log USING (job_id)
                    ORDER BY staged_jobs.job_id, log.created_at DESC, log_id DESC
                ) AS latest USING (job_id)
                WHERE coalesce(comparison, 1) >= 0 AND ({has_flags}) AND ({differs})
                RETURNING 1
            )
            SELECT (SELECT count(*) FROM inserted), (SELECT count(*) FROM logged)
        """),
        {"client_id": client_id} | (GUARDS if texts["type"] != "staged_jobs.type" else {}),
    ).one()
    return inserted, logs


def _is_in_order(connection: Connection) -> bool:
    """Tell whether the records are in the order of exports already, as exports are: then nothing needs to be sorted."""
    return bool(
        connection.execute(
            text("""
                SELECT coalesce(bool_and(is_later), true) FROM (
                    SELECT created_at >= lag(created_at, 1, created_at) OVER () AS is_later FROM staged_jobs
                ) AS steps
            """)
        ).scalar_one()
    )


def remove_demo(connection: Connection) -> bool:
    """Remove the demo jobs, in the way that is quickest."""
    demo = {"prefix": PREFIX}
    has_demo, has_others, is_owner = connection.execute(
        text("""
            SELECT EXISTS (SELECT FROM jobs WHERE starts_with(client_id, :prefix)),
                EXISTS (SELECT FROM jobs WHERE NOT starts_with(client_id, :prefix)),
                (SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'jobs'::regclass)
        """),
        demo,
    ).one()
    if has_demo and is_owner and not has_others:
        connection.execute(text("TRUNCATE jobs, moderation_logs RESTART IDENTITY"))
    elif has_demo:
        connection.execute(
            text("DELETE FROM moderation_logs AS log USING jobs"
                 " WHERE jobs.job_id = log.job_id AND starts_with(client_id, :prefix)"),
            demo,
        )  # fmt: skip
        connection.execute(text("DELETE FROM jobs WHERE starts_with(client_id, :prefix)"), demo)
    return bool(has_demo)
