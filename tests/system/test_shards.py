"""Shards: a source whose jobs lie on other servers (`postgres_fdw`) gives what one database would."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, aclosing, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import quote
from zoneinfo import ZoneInfo

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import select

from core.actor import Actor, Scope
from core.db.databases import Databases
from core.db.startup import migrate, open_databases
from core.db.topology import ONE_SERVER
from core.errors import DatabaseUnavailable
from core.export import parallel_copy
from core.export.export import Reader, start_export
from core.export.receipts import Via, find_complete_receipt
from core.facts.tables import job_reasons
from core.intake.demo import seed_jobs
from core.jobs.access import NotedReasons, make_access
from core.jobs.filter import JobFilter
from core.jobs.hidden_text import Texts
from core.jobs.job import find_job, list_logs, read_texts
from core.jobs.pages import page_jobs
from core.jobs.query import count_jobs
from core.jobs.wall import Wall, list_clients
from core.settings import Settings
from tests.support.days import sum_days
from tests.support.debian import find_programs, running_server
from tests.support.documents import april, export_document, read_records
from tests.support.rows import insert_large_jobs

JOBS = 600
UNTIL = datetime(2026, 5, 1, tzinfo=UTC)
SPRING = {"from": "2026-01-01T00:00:00Z", "to": "2026-06-01T00:00:00Z"}
STAFF = Wall(None)

COLUMNS = """
    job_id uuid NOT NULL, client_id text NOT NULL, type text NOT NULL, status text NOT NULL, is_prohibited boolean,
    created_at timestamptz NOT NULL, completed_at timestamptz, prompt text, reason text,
    api_key_id text, api_key_name text
"""
# Logs name no client and no month, so they are a view over the shards, or a copy in front of them.
LOGS = "SELECT * FROM shard_a.moderation_logs UNION ALL SELECT * FROM shard_b.moderation_logs"

# How the source puts the shards together, and which jobs the first of them has.
LAYOUTS = {
    "views": (
        "client_id < 'demo-c'",
        f"""
        CREATE VIEW jobs AS SELECT * FROM shard_a.jobs UNION ALL SELECT * FROM shard_b.jobs;
        CREATE VIEW moderation_logs AS {LOGS}
        """,
    ),
    "clients": (
        "client_id IN ('demo-atelier', 'demo-driftwood')",
        f"""
        CREATE TABLE jobs ({COLUMNS}) PARTITION BY LIST (client_id);
        ALTER TABLE jobs ATTACH PARTITION shard_a.jobs FOR VALUES IN ('demo-atelier', 'demo-driftwood');
        ALTER TABLE jobs ATTACH PARTITION shard_b.jobs DEFAULT;
        CREATE TABLE moderation_logs AS {LOGS};
        CREATE INDEX ON moderation_logs (job_id, created_at, log_id)
        """,
    ),
    "months": (
        "created_at < '2026-03-01Z'",
        f"""
        CREATE TABLE jobs ({COLUMNS}) PARTITION BY RANGE (created_at);
        ALTER TABLE jobs ATTACH PARTITION shard_a.jobs FOR VALUES FROM (MINVALUE) TO ('2026-03-01Z');
        ALTER TABLE jobs ATTACH PARTITION shard_b.jobs FOR VALUES FROM ('2026-03-01Z') TO (MAXVALUE);
        CREATE VIEW moderation_logs AS {LOGS}
        """,
    ),
}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server with `postgres_fdw`, as the URL of its superuser."""
    with running_server(find_programs("postgres_fdw"), locale="C.UTF-8") as url:
        yield url


@pytest.fixture(scope="module")
def whole(server: str) -> Iterator[Databases]:
    """Demo jobs in one plain database, which is also Fencepost's own."""
    url = make_database(server, "whole")
    migrate(Settings(database_url=SecretStr(url)))
    databases = open_databases(Settings(database_url=SecretStr(url)))
    seed_jobs(databases, JOBS, seed=5, until=UNTIL)
    # To be copied, which a database in use cannot be.
    databases.ours.engine.dispose()
    make_database(server, "pristine", template="whole")
    yield databases
    databases.close()


@pytest.fixture(scope="module", params=LAYOUTS)
def sharded(request: pytest.FixtureRequest, server: str, whole: Databases) -> Iterator[Databases]:
    """The same jobs on two shards, behind a source that is neither of them."""
    with split(server, request.param, request.param) as databases:
        yield databases


@contextmanager
def split(server: str, layout: str, prefix: str) -> Iterator[Databases]:
    """Put copies of the jobs on shards for a block; give Fencepost's own database and the source before the shards."""
    of_first, jobs = LAYOUTS[layout]
    source = make_database(server, f"{prefix}_source")
    with psycopg.connect(source, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION postgres_fdw")
        for name, kept in (("shard_a", of_first), ("shard_b", f"NOT ({of_first})")):
            shard = make_database(server, f"{prefix}_{name}", template="pristine")
            with psycopg.connect(shard, autocommit=True) as there:
                there.execute(f"DELETE FROM jobs WHERE NOT ({kept})".encode())
            options = f"host '{connection.info.host}', dbname '{prefix}_{name}'"
            connection.execute(f"CREATE SERVER {name} FOREIGN DATA WRAPPER postgres_fdw OPTIONS ({options})".encode())
            connection.execute(f"CREATE USER MAPPING FOR PUBLIC SERVER {name} OPTIONS (user 'postgres')".encode())
            connection.execute(f"CREATE SCHEMA {name}".encode())
            imported = f"IMPORT FOREIGN SCHEMA public LIMIT TO (jobs, moderation_logs) FROM SERVER {name} INTO {name}"
            connection.execute(imported.encode())
        connection.execute(jobs.encode())
    settings = Settings(database_url=SecretStr(url_of(server, "whole")), source_database_url=SecretStr(source))
    databases = open_databases(settings)
    databases.check()
    yield databases
    databases.close()


def make_database(server: str, name: str, *, template: str = "template0") -> str:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
    return url_of(server, name)


def url_of(server: str, name: str) -> str:
    return server.replace("/postgres?", f"/{quote(name)}?")


def spring(**params: str) -> JobFilter:
    return JobFilter.from_params((SPRING | params).items())


@pytest.mark.parametrize(
    "params",
    [{}, {"decision": "reject"}, {"category": "none"}, {"q": "FOX"}, {"client_id": "demo-bluebird"}, {"job_id": "a"}],
    ids=str,
)
def test_exports_are_the_same_bytes(whole: Databases, sharded: Databases, params: dict[str, str]) -> None:
    """Whatever the filter, and with several workers asked for, a file of shards is that of one database."""
    expected = export_document(whole, spring(**params))

    assert export_document(sharded, spring(**params), workers=3) == expected
    assert len(read_records(expected)) > 10


def test_pages_counts_and_single_jobs_are_the_same(whole: Databases, sharded: Databases) -> None:
    """Pages, their neighbours, counts, days, clients, and one job with its logs are those of one database."""
    found = []
    with whole.source.transaction() as connection:
        rules = connection.execute(select(job_reasons.c.reason).where(job_reasons.c.reason.is_not(None))).scalars()
        # What our own table tells, a page learns of a source that is not ours.
        noted = NotedReasons(rules=frozenset(rules))

    for databases in (whole, sharded):
        access = make_access(databases, STAFF)
        with databases.source.transaction() as connection:
            first = page_jobs(connection, spring(), access, after=None, limit=20, texts=Texts.ALL, noted=noted)
            after = first.next
            second = page_jobs(connection, spring(), access, after=after, limit=20, texts=Texts.UNFLAGGED, noted=noted)
            jobs = [row.job_id for row in first.rows[:3]]
            found.append(
                (
                    *(first, second, count_jobs(connection, spring(status="failed,queued"), access)),
                    sum_days(connection, spring(), access, ZoneInfo("Europe/Berlin")),
                    list_clients(connection, STAFF, limit=10),
                    [find_job(connection, job, STAFF) for job in jobs],
                    [read_texts(connection, job, STAFF, longest=100) for job in jobs],
                    [list_logs(connection, job, STAFF) for job in jobs],
                    find_job(connection, jobs[0], Wall("nobody")),
                )
            )

    assert found[0] == found[1]


def test_shards_are_found_behind_views_and_partitions(whole: Databases, sharded: Databases) -> None:
    """A source with foreign tables is told from one without, and a receipt says that each was read by itself."""
    receipt = find_complete_receipt(sharded.ours, sha256(export_document(sharded, spring(job_id="b"))).hexdigest())

    assert sharded.source.topology().has_foreign_tables
    assert whole.source.topology() == ONE_SERVER
    assert receipt is not None
    assert receipt["snapshot"] == "per-node"


def test_nothing_is_written_on_shards(sharded: Databases) -> None:
    """A foreign table is as read-only as everything else in a source."""
    for statement in ("DELETE FROM shard_a.jobs", "UPDATE shard_b.moderation_logs SET category_nsfw = true"):
        with pytest.raises(DatabaseUnavailable, match="cannot be written"), sharded.source.transaction() as connection:
            connection.exec_driver_sql(statement)


@asynccontextmanager
async def exporting(databases: Databases) -> AsyncIterator[AsyncGenerator[bytes]]:
    """Start an export of two workers, and give its body."""
    started = start_export(
        databases,
        spring(),
        Actor("key:abc", STAFF, frozenset(Scope)),
        via=Via.API,
        reader=Reader(),
        first_byte_timeout=50,
        workers=2,
    )
    async with started as running, aclosing(running.stream()) as blocks:
        yield blocks


def test_what_is_written_on_shards_meanwhile_does_not_show(
    server: str, whole: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An export is what all shards held when it began: those it comes to later, and whoever might have helped later."""
    # Slices and blocks so small that an export waits for its reader.
    monkeypatch.setattr(parallel_copy, "FIRST_JOBS", 100)
    monkeypatch.setattr(parallel_copy, "READ_AHEAD", 1)
    with split(server, "months", "slow") as databases, ExitStack() as stack:
        with psycopg.connect(databases.source.conninfo, autocommit=True) as connection:
            # Logs of the source's own, so that they lead to no shard.
            connection.execute("DROP VIEW moderation_logs; CREATE TABLE moderation_logs (LIKE shard_a.moderation_logs)")
        shards = [
            stack.enter_context(psycopg.connect(url_of(server, f"slow_shard_{name}"), autocommit=True)) for name in "ab"
        ]
        for shard, earlier in zip(shards, (2, 0), strict=True):
            insert_large_jobs(shard, 1_000, size=2_000)
            shard.execute(f"UPDATE jobs SET created_at = created_at - interval '{earlier} months'".encode())
        before = export_document(databases, spring())

        async def read_slowly() -> bytes:
            async with AsyncExitStack() as stack:
                # While another one runs, each has one connection; a second one would join when the other has ended.
                other = await stack.enter_async_context(AsyncExitStack())
                await other.enter_async_context(exporting(databases))
                blocks = await stack.enter_async_context(exporting(databases))
                first = await anext(blocks)
                for shard in shards:
                    shard.execute("UPDATE jobs SET prompt = 'changed'")
                await other.aclose()
                return first + b"".join([block async for block in blocks])

        document = asyncio.run(read_slowly())

        assert document == before
        assert b"changed" in export_document(databases, spring())


def test_a_shard_that_is_down_is_said_to_be(server: str, sharded: Databases) -> None:
    """Where a shard does not answer, the sentence is about it and not the source; when it is back, all is well."""
    assert export_document(sharded, april())
    sharded.source.engine.dispose()
    with psycopg.connect(sharded.source.conninfo, autocommit=True) as connection:
        connection.execute("ALTER SERVER shard_b OPTIONS (SET host '/nowhere')")

        with pytest.raises(DatabaseUnavailable) as refused:
            export_document(sharded, april())
        with pytest.raises(DatabaseUnavailable) as counting, sharded.source.transaction() as asking:
            count_jobs(asking, spring(), make_access(sharded, STAFF))
        connection.execute(f"ALTER SERVER shard_b OPTIONS (SET host '{connection.info.host}')".encode())

    sentence = (
        "A server behind SOURCE_DATABASE_URL cannot be reached: start it, or correct its foreign server or user "
        "mapping, or its node of Citus."
    )
    assert {str(refused.value), str(counting.value)} == {sentence}
    assert export_document(sharded, april())
