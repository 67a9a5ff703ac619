"""Staged records become jobs: which of two records counts, whose jobs they are, and their logs."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, column, func, insert, literal_column, table, text, true
from sqlalchemy import select as query

from core.db.schema import jobs, moderation_logs
from core.errors import NotPossible
from core.intake.demo import PREFIX
from core.jobs.filter import Category
from core.jobs.query import latest_log


@contextmanager
def patience(connection: Connection) -> Iterator[None]:
    """Let statements wait for locks as long as it takes."""
    limit = connection.execute(text("SELECT current_setting('lock_timeout')")).scalar_one()
    connection.execute(text("SET LOCAL lock_timeout = 0"))
    yield
    connection.execute(text("SELECT set_config('lock_timeout', :limit, true)"), {"limit": limit})


def check_clients(connection: Connection, client_id: str, name: str) -> None:
    """Refuse jobs that another client has: an import never moves a job from one to another."""
    other = connection.execute(
        text("""
            SELECT count(*) FROM staged_jobs
            WHERE EXISTS (SELECT FROM jobs WHERE jobs.job_id = CAST(staged_jobs.job_id AS uuid)
                AND client_id <> :client_id)
        """),
        {"client_id": client_id},
    ).scalar_one()
    if other:
        jobs_ = "1 job" if other == 1 else f"{other:,} jobs"
        raise NotPossible(f"{name} holds {jobs_} that another client has already: import it under that client's name.")


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


def _instant(column: str) -> str:
    """Cut what is finer than a microsecond: rounding could move a job over the bound of a range."""
    return rf"CAST(regexp_replace({column}, '(\.[0-9]{{6}})[0-9]+', '\1') AS timestamptz)"


_PROGRESS = "array_position(ARRAY['queued', 'processing', 'failed', 'completed'], {}.status)"


# Of one job's records in a file the best counts, by the same rule as between file and database.
PREPARE = text(f"""
    CREATE TEMPORARY TABLE import_jobs ON COMMIT DROP AS
    SELECT DISTINCT ON (staged.job_id) staged.*
    FROM (
        SELECT record, CAST(job_id AS uuid) AS job_id, type, status, CAST(is_prohibited AS boolean) AS is_prohibited,
            {_instant("created_at")} AS created_at, {_instant("completed_at")} AS completed_at, prompt, reason,
            {", ".join(f"CAST({category.column} AS boolean) AS {category.column}" for category in Category)}
        FROM staged_jobs
    ) AS staged
    ORDER BY staged.job_id, staged.is_prohibited IS NOT NULL DESC, staged.completed_at DESC NULLS LAST,
        {_PROGRESS.format("staged")} DESC, record DESC
""")


# Decided beats undecided, then the later completion wins, then the further status. What is equal stays as it is: it is
# left out before the INSERT, which would write a lock into each of these rows.
_RANK = (
    "({0}.is_prohibited IS NOT NULL, coalesce({0}.completed_at, '-infinity'), " + _PROGRESS.replace("{}", "{0}") + ")"
)


# Told apart by the id alone, because where jobs are in months the same id in another one is another job to PostgreSQL.
MERGE = text(f"""
    WITH updated AS (
        UPDATE jobs SET type = import_jobs.type, status = import_jobs.status,
            is_prohibited = import_jobs.is_prohibited, created_at = import_jobs.created_at,
            completed_at = import_jobs.completed_at, prompt = import_jobs.prompt, reason = import_jobs.reason
        FROM import_jobs
        WHERE jobs.job_id = import_jobs.job_id AND jobs.client_id = :client_id
            AND {_RANK.format("import_jobs")} > {_RANK.format("jobs")}
        RETURNING 1
    ), inserted AS (
        INSERT INTO jobs (job_id, client_id, type, status, is_prohibited, created_at, completed_at, prompt, reason)
        SELECT job_id, :client_id, type, status, is_prohibited, created_at, completed_at, prompt, reason
        FROM import_jobs WHERE NOT EXISTS (SELECT FROM jobs WHERE jobs.job_id = import_jobs.job_id)
        ORDER BY created_at, job_id
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM inserted), (SELECT count(*) FROM updated)
""")


def add_logs(client_id: str) -> Select[int]:
    """Build the statement that adds a client's log where the file is not older than the job, and its flags differ.

    It gives the number of new logs.
    """
    columns = [category.column for category in Category]
    new = table("import_jobs", column("job_id"), *map(column, columns))
    has_flags = " OR ".join(f"import_jobs.{name} IS NOT NULL" for name in columns)
    differs = " OR ".join(f"import_jobs.{name} IS DISTINCT FROM latest_log.{name}" for name in columns)
    not_older = f"{_RANK.format('import_jobs')} >= {_RANK.format('jobs')}"
    # A log that is older than the latest would not count, and would be added once more each time.
    at: ColumnElement[datetime] = literal_column(
        "greatest(coalesce(import_jobs.completed_at, import_jobs.created_at),"
        " (SELECT max(created_at) FROM moderation_logs WHERE moderation_logs.job_id = import_jobs.job_id))"
    )
    logs = (
        query(new.c.job_id, at, *(new.c[name] for name in columns))
        .select_from(new.join(jobs, jobs.c.job_id == new.c.job_id).outerjoin(latest_log, true()))
        .where(jobs.c.client_id == client_id, text(f"({has_flags})"), text(not_older), text(f"({differs})"))
    )
    added = insert(moderation_logs).from_select(["job_id", "created_at", *columns], logs)
    return query(func.count()).select_from(added.returning(moderation_logs.c.log_id).cte("added"))
