"""Loads: what goes in without the work of single rows is the same, and leaves the tables as they were made."""

import io
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import Connection

from core.actor import COMMAND_LINE
from core.csv.format import BOM, write_record
from core.db.databases import Databases
from core.errors import NotPossible
from core.export.job_columns import COLUMNS, HEADER
from core.intake import loading
from core.intake.importer import import_jobs
from core.intake.job_file import JobFile
from core.jobs.filter import Category
from tests.conftest import ROOT, TestServer
from tests.support.facts import IDS, START, act, are_complete, check, connect
from tests.support.rows import insert_job, insert_log
from tests.support.waiting import wait_for

NEVER = 10**9


@pytest.fixture
def reader(kept: Databases) -> Iterator[psycopg.Connection]:
    with connect(kept) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _loads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a single job be many."""
    monkeypatch.setattr(loading, "MANY", 1)


def document(rng: random.Random, ids: list[UUID]) -> bytes:
    """Write a file of those jobs, whatever else is said of them; some come twice."""
    words = (None, "true", "false")
    cells = {}
    for job_id in ids:
        created_at = f"{START + timedelta(days=job_id.int % 70, minutes=job_id.int % 7):%Y-%m-%dT%H:%M:%SZ}"
        cells[job_id] = {"job_id": str(job_id), "type": "prompt", "created_at": created_at}
    records = []
    for job_id in rng.sample([*ids, *ids[:1]], len(ids) + 1):
        status = rng.choice(("queued", "completed"))
        more = {column: rng.choice(words) for column in ("is_prohibited", *(each.column for each in Category))}
        values = cells[job_id] | more | {"status": status, "reason": rng.choice((None, "a reason", "another"))}
        records.append(write_record([values.get(column) for column in COLUMNS]))
    return BOM + HEADER + b"".join(records)


def take(databases: Databases, data: bytes, **options: Any) -> None:
    import_jobs(databases, JobFile(file=io.BytesIO(data), name="a.csv", client_id="acme"), COMMAND_LINE, **options)


def rows(connection: psycopg.Connection) -> list[list[tuple[Any, ...]]]:
    """Read all that an import writes, but for the numbers of logs."""
    cells = ", ".join(each.column for each in Category)
    statements = (
        "SELECT * FROM jobs ORDER BY job_id",
        f"SELECT job_id, created_at, {cells} FROM moderation_logs ORDER BY 1, 2, 3, 4, 5",
        "SELECT * FROM job_facts ORDER BY job_id",
        "SELECT hour, client_id, code, sum(total) FROM job_counts GROUP BY 1, 2, 3 HAVING sum(total) <> 0"
        " ORDER BY 1, 2, 3",
    )
    return [connection.execute(statement.encode()).fetchall() for statement in statements]


def shape(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    """Read how the tables are made: indexes, keys and triggers, and which of these are on."""
    return connection.execute("""
        SELECT pg_get_indexdef(indexrelid), indisvalid, '' FROM pg_index
        WHERE indrelid::regclass::text ~ '^(job|moderation)'
        UNION ALL
        SELECT conname || pg_get_constraintdef(oid), convalidated, conrelid::regclass::text FROM pg_constraint
        UNION ALL
        SELECT pg_get_triggerdef(oid), tgenabled = 'O', tgenabled::text FROM pg_trigger WHERE NOT tgisinternal
        ORDER BY 1, 3
    """).fetchall()


def find_oids(connection: psycopg.Connection) -> dict[str, int]:
    """Return the number of each index, which is another one when it was made anew."""
    oids = (
        "SELECT relname, oid FROM pg_class WHERE relkind = 'i' AND relname ~ '^(jobs|moderation_logs|job_facts)_'"
        " AND relname !~ 'unsettled'"
    )
    return dict(connection.execute(oids.encode()).fetchall())


def was_made(connection: psycopg.Connection) -> tuple[set[Any], set[Any]]:
    """Return what is another after each load: the numbers of indexes, and who wrote the triggers of inserts."""
    indexes = connection.execute("SELECT oid FROM pg_class WHERE relkind = 'i' AND relname ~ '^(jobs|job_facts)_c'")
    triggers = connection.execute(
        "SELECT xmin FROM pg_trigger WHERE tgname = 'job_facts_insert'"
        " AND tgrelid IN ('jobs'::regclass, 'moderation_logs'::regclass)"
    )
    return set(indexes.fetchall()), set(triggers.fetchall())


@pytest.mark.parametrize("seed", range(2))
def test_a_load_writes_what_an_import_of_few_writes(
    kept: Databases, reader: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Into empty tables, and among others: the same jobs, logs, facts and counts, and the tables as they were made."""
    rng = random.Random(seed)
    ids = [UUID(int=rng.getrandbits(128), version=4) for _ in range(60)]
    files = [document(rng, rng.sample(ids, 30)), document(rng, rng.sample(ids, 30))]
    before, made = shape(reader), [was_made(reader)]
    found = []
    for many in (NEVER, 1):
        monkeypatch.setattr(loading, "MANY", many)
        reader.execute("TRUNCATE jobs, moderation_logs")
        for data in files:
            take(kept, data)
            check(reader)
            found.append(rows(reader))
            made.append(was_made(reader))
            assert shape(reader) == before

    assert found[:2] == found[2:]
    assert len(found[1][0]) > 30
    assert are_complete(reader)
    is_partitioned = reader.execute("SELECT relkind = 'p' FROM pg_class WHERE relname = 'jobs'").fetchone() == (True,)
    (_, by_row_indexes, by_row_indexes_still, indexes, indexes_still), (*_, as_ever, load, next_load) = zip(
        *made, strict=True
    )
    assert by_row_indexes == by_row_indexes_still
    assert (indexes == by_row_indexes, indexes_still == indexes) == (is_partitioned, True)
    assert as_ever.isdisjoint(load)
    assert load.isdisjoint(next_load)


def test_loads_among_other_writers_are_right_after_each(kept: Databases, reader: psycopg.Connection) -> None:
    """Whatever somebody else has done to jobs and logs before, logs without a job and deleted jobs among it."""
    has_key = reader.execute("SELECT FROM pg_constraint WHERE contype = 'f'").fetchone() is not None
    for seed in range(4):
        rng = random.Random(seed)
        reader.execute("TRUNCATE jobs, moderation_logs, job_facts_unsettled")
        for _ in range(12):
            reader.execute(f"BEGIN ISOLATION LEVEL {rng.choice(['READ COMMITTED', 'SERIALIZABLE'])}")
            # A replica keeps no foreign key.
            role = rng.choice(["origin", "replica"])
            reader.execute(f"SET LOCAL session_replication_role = {role}")
            act(rng, reader, own=rng.randrange(2), has_key=has_key and role == "origin")
            reader.execute("COMMIT")
            if rng.random() < 0.5:
                # Those that `act` has given to another client stay there.
                own = "SELECT job_id FROM jobs WHERE client_id <> 'acme'"
                free = sorted(set(IDS) - {job_id for (job_id,) in reader.execute(own).fetchall()})
                take(kept, document(rng, rng.sample(free, rng.randrange(1, len(free)))))
            check(reader)


def test_an_import_that_fails_after_its_load_has_changed_nothing(kept: Databases, reader: psycopg.Connection) -> None:
    """Neither jobs nor indexes nor triggers."""
    before, made, data = shape(reader), was_made(reader), document(random.Random(1), IDS)

    def fail(connection: Connection) -> None:
        raise NotPossible("no")

    with pytest.raises(NotPossible, match="no"):
        take(kept, data, commit_with=fail)

    assert (shape(reader), was_made(reader)) == (before, made)
    assert [len(part) for part in rows(reader)] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("statement", "are_triggers_off"),
    [
        ("SELECT FROM jobs", True),
        ("SELECT FROM job_facts", True),
        ("LOCK TABLE moderation_logs IN ROW EXCLUSIVE MODE", False),
    ],
)
def test_who_uses_the_tables_is_left_alone(
    kept: Databases, reader: psycopg.Connection, statement: str, are_triggers_off: bool
) -> None:
    """Where somebody reads, indexes stay; where somebody writes logs, triggers do their work: nobody waits for long."""
    before, (indexes, triggers) = shape(reader), was_made(reader)
    with connect(kept) as other, other.transaction():
        other.execute(statement.encode())
        take(kept, document(random.Random(1), IDS))

    check(reader)
    found = was_made(reader)
    assert (found[0], found[1] == triggers) == (indexes, not are_triggers_off)
    assert shape(reader) == before


@pytest.mark.parametrize(
    ("statement", "stays"),
    [
        ("CREATE VIEW latest AS SELECT job_id, type FROM jobs GROUP BY job_id", "all"),
        ("CREATE TABLE notes (job_id uuid REFERENCES jobs)", "all"),
        ("COMMENT ON INDEX jobs_client IS 'mine'", "jobs_client"),
        ("COMMENT ON CONSTRAINT jobs_pkey ON jobs IS 'mine'", "jobs_pkey"),
        ("ALTER TABLE jobs CLUSTER ON jobs_created_at", "jobs_created_at"),
    ],
)
def test_what_would_not_come_back_stays(
    databases: Databases, connection: psycopg.Connection, statement: str, stays: str
) -> None:
    """What hangs on a key, and what is said of an index or key beside its definition."""
    connection.execute(statement.encode())
    before, made = shape(connection), find_oids(connection)

    take(databases, document(random.Random(1), IDS))

    check(connection)
    after = find_oids(connection)
    assert shape(connection) == before
    kept_ = {name for name, oid in after.items() if made[name] == oid}
    assert kept_ == (set(made) if stays == "all" else {stays})


def test_triggers_of_others_stay_as_they_are(databases: Databases, connection: psycopg.Connection) -> None:
    """A trigger that is put off until the end keeps the work of rows; one of ours that is off is not turned on."""
    connection.execute("CREATE TABLE seen (job_id uuid)")
    connection.execute(
        "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO seen VALUES (NEW.job_id); RETURN NULL; END'"
    )
    connection.execute(
        "CREATE CONSTRAINT TRIGGER see AFTER INSERT ON jobs DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
        " EXECUTE FUNCTION see()"
    )
    before = shape(connection)
    take(databases, document(random.Random(1), IDS))
    seen = connection.execute("SELECT count(*) FROM seen").fetchone()
    check(connection)
    connection.execute("DROP TRIGGER see ON jobs")
    connection.execute("TRUNCATE jobs, moderation_logs")
    connection.execute("ALTER TABLE jobs DISABLE TRIGGER job_facts_insert")
    off = shape(connection)
    take(databases, document(random.Random(1), IDS))

    assert seen == (len(IDS),)
    assert shape(connection) == off
    assert set(off) - set(before) == {row for row in off if row[2] == "D"} != set()


def test_what_a_trigger_of_somebody_else_makes_of_a_job_is_its_fact(
    kept: Databases, reader: psycopg.Connection
) -> None:
    """Also where it is one of a month alone."""
    (month,) = reader.execute("SELECT coalesce(to_regclass('jobs_2026_04'), 'jobs')::text").fetchone() or ()
    reader.execute(
        "CREATE FUNCTION reject() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.is_prohibited = true; RETURN NEW; END'"
    )
    reader.execute(f"CREATE TRIGGER reject BEFORE INSERT ON {month} FOR EACH ROW EXECUTE FUNCTION reject()".encode())

    take(kept, document(random.Random(1), IDS))

    check(reader)
    assert reader.execute("SELECT DISTINCT is_prohibited FROM jobs").fetchall() == [(True,)]


def test_a_job_whose_log_was_there_first_has_its_fact(kept: Databases, reader: psycopg.Connection) -> None:
    """In months, and on a replica, a log may come before its job: it counts as if it had come later."""
    insert_job(reader, job_id=IDS[0], created_at=START)
    reader.execute("SET session_replication_role = replica")
    insert_log(reader, IDS[1], created_at=START + timedelta(days=300), category_nsfw=True)

    take(kept, document(random.Random(1), IDS))

    check(reader)
    logs = reader.execute("SELECT category_nsfw FROM moderation_logs WHERE job_id = %s ORDER BY log_id", (IDS[1],))
    assert logs.fetchall()[0] == (True,)


def test_an_import_that_is_killed_amid_its_load_has_changed_nothing(
    server: TestServer, kept: Databases, reader: psycopg.Connection
) -> None:
    """SIGKILL with jobs, facts and indexes made and not yet committed: all is as before, and another import goes."""
    rng = random.Random(1)
    ids = [UUID(int=rng.getrandbits(128), version=4) for _ in range(10_000)]
    data, before, made = document(rng, ids), shape(reader), was_made(reader)
    command = [sys.executable, "-m", "core", "import", "--client", "acme", "-"]
    waits = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'import_totals'::regclass"
    environment = os.environ | {"DATABASE_URL": server.url_of(reader.info.dbname)}
    with connect(kept) as other, other.transaction():
        other.execute("LOCK TABLE import_totals IN EXCLUSIVE MODE")
        with subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT, env=environment) as process:
            assert process.stdin is not None
            process.stdin.write(data)
            process.stdin.close()
            wait_for(lambda: other.execute(waits).fetchone() is not None, "an import that has loaded its jobs")
            process.send_signal(signal.SIGKILL)
    wait_for(lambda: reader.execute(waits).fetchone() is None, "the end of its session")

    assert [len(part) for part in rows(reader)] == [0, 0, 0, 0]
    assert (shape(reader), was_made(reader)) == (before, made)
    take(kept, data)
    check(reader)
    assert len(rows(reader)[0]) == len(ids)
