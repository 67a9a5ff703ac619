"""Facts where more happens than statements: a server that is killed, and rows that another one sends."""

import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg
import pytest
from pydantic import SecretStr

from core.counts.fact_upkeep import keep_facts
from core.db.databases import Databases
from core.db.embedded import EmbeddedServer
from core.db.startup import migrate, open_databases
from core.settings import Settings
from tests.support.facts import act, are_complete, check, connect
from tests.support.waiting import wait_for

CRASHES = 3

MakeDatabase = Callable[[str], Databases]


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A server that may be killed, and that can send others what is written."""
    server = EmbeddedServer(tmp_path_factory.mktemp("own"))
    server.start()
    with _as_superuser(server) as connection:
        connection.execute("ALTER SYSTEM SET wal_level = 'logical'")
        # Processes are killed and not the machine: what they have written need not have reached a disk.
        connection.execute("ALTER SYSTEM SET fsync = off")
    server.stop()
    # It is to connect to itself, as the account that it runs as.
    rules = server.data / "pg_hba.conf"
    rules.write_text(f"local origin postgres trust\n{rules.read_text()}")
    server.start()
    yield server
    server.stop()


def _as_superuser(server: EmbeddedServer, database: str = "postgres") -> psycopg.Connection:
    return psycopg.connect(server.url(role="postgres", database=database), autocommit=True)


@contextmanager
def _make_database(server: EmbeddedServer, name: str) -> Iterator[Databases]:
    with _as_superuser(server) as connection:
        connection.execute(psycopg.sql.SQL("CREATE DATABASE {} OWNER fencepost").format(psycopg.sql.Identifier(name)))
    settings = Settings(database_url=SecretStr(server.url(database=name)))
    migrate(settings)
    databases = open_databases(settings)
    yield databases
    databases.close()


def _write(rng: random.Random, writers: list[psycopg.Connection], statements: int) -> None:
    """Write at random by two connections at once; both may have a transaction open at the end."""
    for _ in range(statements):
        writer = rng.choice(writers)
        if writer.info.transaction_status is psycopg.pq.TransactionStatus.IDLE:
            writer.execute("BEGIN")
            writer.execute("SET LOCAL lock_timeout = '20ms'")
        try:
            act(rng, writer, own=int(writer is writers[0]), has_key=True)
            if rng.random() < 0.3:
                writer.execute(rng.choice(["COMMIT", "COMMIT", "ROLLBACK"]))
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected, psycopg.errors.IntegrityError):
            writer.execute("ROLLBACK")


def _reconnect(databases: Databases) -> psycopg.Connection:
    def attempt() -> psycopg.Connection | None:
        with suppress(psycopg.OperationalError):
            return connect(databases)
        return None

    opened = wait_for(attempt, "the server after its crash")
    assert opened is not None
    return opened


def test_facts_are_those_of_the_jobs_after_a_crash(own_server: EmbeddedServer) -> None:
    """Killed between any two statements, with transactions open, the server comes back with facts that are right."""
    rng = random.Random(15)
    with _make_database(own_server, "killed") as kept:
        for _ in range(CRASHES):
            writers = [_reconnect(kept) for _ in range(2)]
            _write(rng, writers, rng.randrange(20, 60))

            os.kill(rng.choice(writers).info.backend_pid, signal.SIGKILL)

            for writer in writers:
                with pytest.raises(psycopg.OperationalError):
                    writer.execute("SELECT pg_sleep(30)")
                writer.close()
            with _reconnect(kept) as reader:
                check(reader)
                keep_facts(kept.ours)
                check(reader)
                assert are_complete(reader)


def test_rows_that_another_server_sends_have_their_facts(own_server: EmbeddedServer) -> None:
    """Logical replication of jobs and logs, in whatever order they are first copied, keeps facts and counts right."""
    rng = random.Random(16)
    with (
        _make_database(own_server, "origin") as origin,
        _make_database(own_server, "replica") as replica,
        _as_superuser(own_server, "origin") as sending,
        _as_superuser(own_server, "replica") as receiving,
        connect(origin) as first,
        connect(origin) as second,
    ):
        keep_facts(replica.ours)
        _write(rng, [first, second], 60)
        sending.execute("CREATE PUBLICATION everything FOR TABLE jobs, moderation_logs")
        for writer in (first, second):
            writer.execute("COMMIT")
        # On one server a subscription would wait for itself if it were to make the slot.
        sending.execute("SELECT pg_create_logical_replication_slot('facts', 'pgoutput')")
        receiving.execute(
            psycopg.sql.SQL(
                "CREATE SUBSCRIPTION facts CONNECTION {} PUBLICATION everything"
                " WITH (create_slot = false, slot_name = 'facts')"
            ).format(own_server.url(role="postgres", database="origin"))
        )
        try:
            for statements in (0, 60, 60):
                _write(rng, [first, second], statements)
                if statements:
                    for writer in (first, second):
                        writer.execute("COMMIT")
                wait_for(lambda: _rows(sending) == _rows(receiving), "the rows of the origin")
                check(receiving)
            first.execute("TRUNCATE jobs, moderation_logs")
            _write(rng, [first], 20)
            first.execute("COMMIT")
            wait_for(lambda: _rows(sending) == _rows(receiving), "the rows after all were removed")
            check(receiving)
            for _ in range(2):
                keep_facts(replica.ours)
            check(receiving)
            assert are_complete(receiving)
            assert receiving.execute("SELECT count(*) FROM job_facts_unsettled").fetchone() == (0,)
        finally:
            receiving.execute("ALTER SUBSCRIPTION facts DISABLE")
            receiving.execute("DROP SUBSCRIPTION facts")


def _rows(connection: psycopg.Connection) -> list[tuple[str, str]]:
    """Return all jobs and logs as text."""
    return [
        row
        for table in ("jobs", "moderation_logs")
        for row in connection.execute(
            psycopg.sql.SQL("SELECT {name}, each::text FROM {table} AS each ORDER BY 2").format(
                name=table, table=psycopg.sql.Identifier(table)
            )
        ).fetchall()
    ]
