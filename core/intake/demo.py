"""Demo jobs in the tables: put there, replaced, and never beside others."""

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice

from psycopg import Connection
from sqlalchemy import text

from core.counts.fact_upkeep import keep_facts
from core.db.databases import Databases
from core.db.partitions import make_months, span
from core.errors import NotPossible
from core.intake.demo_jobs import PERIOD, DemoJob, generate
from core.intake.demo_policy import write_demo_policy

PREFIX = "demo-"

# Jobs a COPY: few enough to stay flat in memory.
BATCH = 5_000

JOB_COLUMNS = "job_id, client_id, type, status, is_prohibited, created_at, completed_at, prompt, reason"
LOG_COLUMNS = "job_id, created_at, category_ai_adult_general, category_underage, category_nsfw"


def seed_jobs(
    databases: Databases, jobs: int, *, seed: int, until: datetime, advance: Callable[[int], None] = lambda _: None
) -> None:
    """Replace all demo jobs by new ones, all or nothing. `advance` hears how many more jobs were sent.

    Raises `NotPossible` where other jobs exist, or where the jobs belong to somebody else.
    """
    if not databases.jobs_are_ours:
        raise NotPossible("The jobs live in SOURCE_DATABASE_URL, which Fencepost never writes: unset it to seed.")
    make_months(databases.ours.transaction, span(until - PERIOD, until))
    with databases.ours.transaction() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("LOCK TABLE jobs IN SHARE ROW EXCLUSIVE MODE"))
        others = connection.execute(
            text("SELECT EXISTS (SELECT FROM jobs WHERE NOT starts_with(client_id, :prefix))"), {"prefix": PREFIX}
        )
        if others.scalar_one():
            raise NotPossible("There are jobs that are no demo jobs: seed only an empty database.")
        connection.execute(text("TRUNCATE jobs, moderation_logs RESTART IDENTITY"))
        driver = connection.connection.driver_connection
        assert isinstance(driver, Connection)
        for batch in _batches(generate(jobs, seed=seed, until=until)):
            with driver.cursor() as cursor:
                with cursor.copy(f"COPY jobs ({JOB_COLUMNS}) FROM STDIN") as copy:
                    for demo_job in batch:
                        copy.write_row(demo_job.job)
                with cursor.copy(f"COPY moderation_logs ({LOG_COLUMNS}) FROM STDIN") as copy:
                    for demo_job in batch:
                        for row in demo_job.logs:
                            copy.write_row(row)
            advance(len(batch))
    keep_facts(databases.ours)
    # What PostgreSQL would do by itself after a while: it lets exports read logs from their index alone.
    databases.ours.vacuum("jobs", "moderation_logs", "job_facts", "job_counts", "job_reason_counts")


def seed_if_empty(databases: Databases, jobs: int, *, until: datetime, begin: Callable[[], None]) -> None:
    """Make demo jobs and a policy where there are none; of processes that start at once the first does, others wait.

    `begin` is called before they are made.
    """
    with databases.ours.transaction() as connection:
        for setting in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            connection.execute(text(f"SET LOCAL {setting} = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('fencepost seeding', 0))"))
        if not has_jobs(databases):
            begin()
            seed_jobs(databases, jobs, seed=1, until=until)
            write_demo_policy(databases)


def _batches(rows: Iterator[DemoJob]) -> Iterator[list[DemoJob]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


def has_jobs(databases: Databases) -> bool:
    """Tell whether there is any job."""
    with databases.source.transaction() as connection:
        return bool(connection.execute(text("SELECT EXISTS (SELECT FROM jobs)")).scalar_one())
