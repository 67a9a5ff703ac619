"""Staged records become jobs: which of two records counts, whose jobs they are, and their logs.

Everything here runs behind the lock of imports, so that what is found is still so when it is changed.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from core.errors import NotPossible
from core.intake.demo import PREFIX
from core.intake.guards import GUARDS, TEXTS, take_guard_off
from core.intake.loading import HAS_FLAGS, IS_NEW, load
from core.jobs.filter import Category
from core.jobs.wall import Wall, list_clients

_FLAGS = tuple(category.column for category in Category)

# More than there are.
_MOST_CLIENTS = 2**31

# What an older form of the file does not have: it is filled in where it is known, and never emptied.
_API_KEY = ("api_key_id", "api_key_name")

_RANKED = ("is_prohibited", "completed_at", "status")

# Decided beats undecided, then the later completion wins, then the further status.
_RANK = (
    "({0}.is_prohibited IS NOT NULL, coalesce({0}.completed_at, '-infinity'),"
    " array_position(ARRAY['queued', 'processing', 'failed', 'completed'], {0}.status))"
)


@dataclass(frozen=True, slots=True)
class Merged:
    """What became of the jobs of a file, how many logs are new, and how many records were left out.

    `erased`: of jobs that were erased; `repeated`: of jobs of which the file has another record, which counts.
    """

    inserted: int
    updated: int
    unchanged: int
    logs: int
    erased: int
    repeated: int


def merge_records(connection: Connection, client_id: str, name: str, *, has_guards: bool) -> Merged:
    """Make the staged records jobs of a client.

    What is equal stays as it is. Raises `NotPossible` where another client has one of the jobs: an import never moves a
    job from one to another.
    """
    connection.execute(text("ANALYZE staged_jobs (job_id)"))
    erased = _leave_out_erased(connection)
    repeated = _keep_best_records(connection)
    total = connection.execute(text("SELECT count(*) FROM staged_jobs")).scalar_one()
    texts = {column: f"staged_jobs.{column}" for column in TEXTS}
    if has_guards:
        texts = {column: take_guard_off(staged) for column, staged in texts.items()}
    known, changed = _find_known_jobs(connection, client_id, name, texts, has_guards=has_guards)
    updated = _update_jobs(connection, client_id, texts, has_guards=has_guards) if changed else 0
    logs = _log_known_jobs(connection) if known else 0
    inserted = 0
    if known < total:
        with load(connection, client_id, total - known) as is_load:
            inserted, new_logs = _insert(connection, client_id, texts, has_guards=has_guards, is_load=is_load)
            logs += new_logs
    return Merged(inserted, updated, total - inserted - updated, logs, erased, repeated)


def _leave_out_erased(connection: Connection) -> int:
    """Leave out the records of jobs that were erased for good; return how many they are."""
    gone = "DELETE FROM staged_jobs USING erased_jobs WHERE erased_jobs.job_id = staged_jobs.job_id"
    return connection.execute(text(gone)).rowcount


def _keep_best_records(connection: Connection) -> int:
    """Of one job's records in a file keep the best, by the same rule as between file and database; else the last.

    Return how many are left out.
    """
    return connection.execute(
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
    ).rowcount


def _find_known_jobs(
    connection: Connection, client_id: str, name: str, texts: dict[str, str], *, has_guards: bool
) -> tuple[int, int]:
    """Note which of the staged jobs are there already, and how each compares; return how many are, and may be changed.

    `comparison` is 1 where the record is better than the job, 0 where neither is, -1 where the job is better. Changed
    are those whose record is better, and those stored with their guards, or without their API key, which are mended.
    """
    new, old = _RANK.format("staged_jobs"), _RANK.format("jobs")
    # Of most records, and quicker to be seen.
    equal = " AND ".join(f"staged_jobs.{column} IS NOT DISTINCT FROM jobs.{column}" for column in _RANKED)
    mended = [f"jobs.{column} IS NULL AND staged_jobs.{column} <> ''" for column in _API_KEY]
    if has_guards:
        stored = " AND ".join(f"jobs.{column} IS NOT DISTINCT FROM staged_jobs.{column}" for column in TEXTS)
        differs = " OR ".join(f"{bare} <> staged_jobs.{column}" for column, bare in texts.items())
        mended.append(f"{stored} AND ({differs})")
    connection.execute(
        text(f"""
            CREATE TEMPORARY TABLE known_jobs ON COMMIT DROP AS
            SELECT record, is_others, comparison, comparison > 0 OR comparison = 0 AND is_mended AS is_changed FROM (
                SELECT record, client_id <> :client_id AS is_others,
                    CASE WHEN {equal} THEN 0 ELSE ({new} > {old})::int - ({new} < {old})::int END AS comparison,
                    coalesce({" OR ".join(mended)}, false) AS is_mended
                FROM staged_jobs JOIN jobs USING (job_id)
            ) AS pair
        """),
        {"client_id": client_id} | (GUARDS if has_guards else {}),
    )
    connection.execute(text("ANALYZE known_jobs (record)"))
    known, other, changed = connection.execute(
        text("SELECT count(*), count(*) FILTER (WHERE is_others), count(*) FILTER (WHERE is_changed) FROM known_jobs")
    ).one()
    if other:
        jobs_ = "1 job" if other == 1 else f"{other:,} jobs"
        raise NotPossible(f"{name} holds {jobs_} that another client has already: import it under that client's name.")
    return known, changed


def _update_jobs(connection: Connection, client_id: str, texts: dict[str, str], *, has_guards: bool) -> int:
    """Change the jobs that are to be changed."""
    # Told apart by the id alone, because where jobs are in months the same id in another one is another job to
    # PostgreSQL.
    result = connection.execute(
        text(f"""
            UPDATE jobs SET status = staged_jobs.status, is_prohibited = staged_jobs.is_prohibited,
                created_at = staged_jobs.created_at, completed_at = staged_jobs.completed_at,
                {", ".join(f"{column} = {value}" for column, value in texts.items())},
                {", ".join(f"{key} = coalesce(nullif(staged_jobs.{key}, ''), jobs.{key})" for key in _API_KEY)}
            FROM staged_jobs JOIN known_jobs USING (record)
            WHERE jobs.job_id = staged_jobs.job_id AND jobs.client_id = :client_id AND is_changed
        """),
        {"client_id": client_id} | (GUARDS if has_guards else {}),
    )
    return result.rowcount


def _log_known_jobs(connection: Connection) -> int:
    """Insert the logs of jobs that are there already; return how many."""
    return connection.execute(text(_insert_logs("JOIN known_jobs USING (record)", "comparison >= 0"))).rowcount


def _insert(
    connection: Connection, client_id: str, texts: dict[str, str], *, has_guards: bool, is_load: bool
) -> tuple[int, int]:
    """Insert the jobs that are not there yet, in the order of exports, and their logs; return how many of each.

    But for a load both go in by one statement: a job's facts are written when its log is there, not changed once more.
    """
    bare = {"status": "status", **texts, **{column: f"nullif({column}, '')" for column in _API_KEY}}
    parameters = {"client_id": client_id} | (GUARDS if has_guards else {})
    insert_jobs = f"""
        INSERT INTO jobs (job_id, client_id, is_prohibited, created_at, completed_at, {", ".join(bare)})
        SELECT job_id, :client_id, is_prohibited, created_at, completed_at, {", ".join(bare.values())}
        FROM staged_jobs WHERE {IS_NEW} {"" if _is_in_order(connection) else "ORDER BY created_at, job_id"}
    """
    if is_load:
        insert_logs = f"""
            INSERT INTO moderation_logs (job_id, created_at, {", ".join(_FLAGS)})
            SELECT job_id, coalesce(completed_at, created_at), {", ".join(_FLAGS)}
            FROM staged_jobs WHERE {IS_NEW} AND {HAS_FLAGS}
        """
        inserted = connection.execute(text(insert_jobs), parameters).rowcount
        return inserted, connection.execute(text(insert_logs)).rowcount
    inserted, logs = connection.execute(
        text(f"""
            WITH inserted AS ({insert_jobs} RETURNING 1), logged AS ({_insert_logs("", IS_NEW)} RETURNING 1)
            SELECT (SELECT count(*) FROM inserted), (SELECT count(*) FROM logged)
        """),
        parameters,
    ).one()
    return inserted, logs


def _insert_logs(join: str, condition: str) -> str:
    """Write in SQL: a log where a record has flags that differ from the job's latest ones, not older than the job."""
    differs = " OR ".join(f"staged_jobs.{flag} IS DISTINCT FROM latest.{flag}" for flag in _FLAGS)
    # A log that is older than the latest would not count, and would be added once more each time.
    return f"""
        INSERT INTO moderation_logs (job_id, created_at, {", ".join(_FLAGS)})
        SELECT staged_jobs.job_id, greatest(coalesce(completed_at, staged_jobs.created_at), latest.created_at),
            {", ".join(f"staged_jobs.{flag}" for flag in _FLAGS)}
        FROM staged_jobs {join} LEFT JOIN (
            SELECT DISTINCT ON (staged_jobs.job_id) staged_jobs.job_id, log.created_at,
                {", ".join(f"log.{flag}" for flag in _FLAGS)}
            FROM staged_jobs JOIN moderation_logs AS log USING (job_id) WHERE {HAS_FLAGS}
            ORDER BY staged_jobs.job_id, log.created_at DESC, log_id DESC
        ) AS latest USING (job_id)
        WHERE {condition} AND {HAS_FLAGS} AND ({differs})
    """


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
    is_demo = [client.startswith(PREFIX) for client in list_clients(connection, Wall(None), limit=_MOST_CLIENTS)]
    has_demo, has_others = True in is_demo, False in is_demo
    is_owner = connection.execute(
        text("SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'jobs'::regclass")
    ).scalar_one()
    if has_demo and is_owner and not has_others:
        connection.execute(text("TRUNCATE jobs, moderation_logs RESTART IDENTITY"))
    elif has_demo:
        demo = {"prefix": PREFIX}
        connection.execute(
            text("DELETE FROM moderation_logs AS log USING jobs"
                 " WHERE jobs.job_id = log.job_id AND starts_with(client_id, :prefix)"),
            demo,
        )  # fmt: skip
        connection.execute(text("DELETE FROM jobs WHERE starts_with(client_id, :prefix)"), demo)
    return has_demo
