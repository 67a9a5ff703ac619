"""Demo jobs in the tables, and their policy: put there, replaced, and never beside others."""

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice

from psycopg import Connection
from sqlalchemy import text

from core.actor import DEMO_PERSON
from core.counts.fact_upkeep import keep_facts
from core.db.databases import Databases
from core.db.partitions import make_months, span
from core.errors import NotPossible
from core.intake.demo_jobs import PERIOD, DemoJob, generate
from core.intake.demo_texts import OTHER_PLACEHOLDER, PLACEHOLDERS, WRONG_REASON
from core.jobs.filter import Category
from core.jobs.filter_sentence import CATEGORY_NAMES
from core.policy.texts import GENERAL, Kind, Subject, read_policy, write_policy

PREFIX = "demo-"

# Jobs a COPY: few enough to stay flat in memory.
BATCH = 5_000

JOB_COLUMNS = "job_id, client_id, type, status, is_prohibited, created_at, completed_at, prompt, reason"
LOG_COLUMNS = "job_id, created_at, category_ai_adult_general, category_underage, category_nsfw"

_GENERAL = """\
A prompt that bears a placeholder such as `{placeholder}` should be **rejected**; one that bears none should **pass**,
however odd it is.

- Reject: Draw a lighthouse at dawn. `{placeholder}`
- Pass: Draw a lighthouse at dawn, in the style called "flat design"
"""

_CATEGORY = """\
{name} stands for prompts with this placeholder, and for no others:

`{placeholder}`
"""

_REASON = """\
This rule is about real people who are drawn as somebody else. Robots and clocks are no people.

- Reject: what bears `{placeholder}`
- Pass: Draw a small robot gardener as a watercolour.
"""


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
        others = text("SELECT FROM jobs WHERE NOT starts_with(client_id, :prefix) LIMIT 1")
        if connection.execute(others, {"prefix": PREFIX}).first() is not None:
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
            _write_policy(databases)


def _write_policy(databases: Databases) -> None:
    """Write a policy for the demo jobs where there is none, in harmless words for what a moderator would object to."""
    if read_policy(databases.ours).version:
        return
    texts = {
        GENERAL: _GENERAL.format(placeholder=OTHER_PLACEHOLDER),
        **{
            Subject(Kind.CATEGORY, category.value): _CATEGORY.format(
                name=CATEGORY_NAMES[category], placeholder=PLACEHOLDERS[category]
            )
            for category in Category
        },
        Subject(Kind.REASON, WRONG_REASON): _REASON.format(placeholder=OTHER_PLACEHOLDER),
    }
    for subject, words in texts.items():
        write_policy(databases, DEMO_PERSON, subject, words, earlier_count=True)


def _batches(rows: Iterator[DemoJob]) -> Iterator[list[DemoJob]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


def has_jobs(databases: Databases) -> bool:
    """Tell whether there is any job."""
    with databases.source.transaction() as connection:
        return connection.execute(text("SELECT FROM jobs LIMIT 1")).first() is not None
