"""Exports that ask the nodes of Citus themselves: three servers, of which two have the parts of the tables.

The catalogue is one that looks like that of Citus; `tests/system/test_citus.py` asks a real one, where there is one. Of
the jobs here the coordinator has a single one, so that an export tells by whom it was given.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, aclosing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
import pytest
from pydantic import SecretStr

from core.actor import COMMAND_LINE
from core.check.snapshot import check_snapshot
from core.db import database
from core.db.databases import Databases
from core.db.startup import open_databases
from core.errors import DatabaseUnavailable
from core.export import node_copy, time_slices
from core.export.export import Reader, start_export
from core.export.receipts import Via
from core.intake.demo import seed_jobs
from core.jobs.filter import JobFilter
from core.settings import Settings
from tests.support.citus import CATALOGUE, JOBS, LOGS, TABLES, distribute
from tests.support.citus import copy_rows as copy_tables
from tests.support.debian import find_programs, running_server
from tests.support.documents import april, export_document, read_records
from tests.support.rows import insert_job, insert_large_jobs
from tests.support.sources import FILTERS

UNTIL = datetime(2026, 5, 1, tzinfo=UTC)
SPRING = {"from": "2026-01-01T00:00:00Z", "to": "2026-06-01T00:00:00Z"}

# Parts of each table, and the node of each: those of a node do not follow each other.
PARTS = {0: 1, 1: 2, 2: 1, 3: 2}


def spring(**params: str) -> JobFilter:
    return JobFilter.from_params((SPRING | params).items())


@dataclass(frozen=True, slots=True)
class Cluster:
    """A coordinator and its nodes, by their URLs, and Fencepost in front of them."""

    settings: Settings
    databases: Databases
    servers: tuple[str, str, str]

    def run(self, statement: str, *servers: int) -> None:
        """Run a statement at some servers, else at all."""
        for number in servers or range(3):
            with psycopg.connect(self.servers[number], autocommit=True) as connection:
                connection.execute(statement.encode())


@pytest.fixture(scope="module")
def whole(shared_url: str) -> Iterator[Databases]:
    """Demo jobs in one plain database, which is also Fencepost's own."""
    databases = open_databases(Settings(database_url=SecretStr(shared_url)))
    seed_jobs(databases, 600, seed=5, until=UNTIL)
    yield databases
    databases.close()


@pytest.fixture(scope="module")
def running(shared_url: str, whole: Databases) -> Iterator[Cluster]:
    """Parts of the same jobs on two nodes."""
    with ExitStack() as stack:
        servers = [
            stack.enter_context(running_server(find_programs("postgres_fdw"), locale="C.UTF-8")) for _ in range(3)
        ]
        for group, url in enumerate(servers):
            with psycopg.connect(url, autocommit=True) as connection:
                make_server(connection, group, servers)
                if group > 0:
                    fill_parts(connection, group, shared_url)
                else:
                    insert_large_jobs(connection, 1, size=20)
        settings = Settings(database_url=SecretStr(shared_url), source_database_url=SecretStr(servers[0]))
        yield stack.enter_context(opened(settings, (servers[0], servers[1], servers[2])))


@contextmanager
def opened(settings: Settings, servers: tuple[str, str, str]) -> Iterator[Cluster]:
    databases = open_databases(settings)
    databases.check()
    yield Cluster(settings, databases, servers)
    databases.close()


@pytest.fixture
def cluster(running: Cluster, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """Let no test find the nodes left alone because of another one."""
    monkeypatch.setattr(database, "NODES_PAUSE", 0)
    return running


def make_server(connection: psycopg.Connection, group: int, servers: list[str]) -> None:
    """Make tables and catalogue of a server of the cluster."""
    connection.execute((TABLES + CATALOGUE).encode())
    connection.execute("UPDATE pg_catalog.pg_dist_local_group SET groupid = %s", (group,))
    for number, url in enumerate(servers):
        place = (url.partition("host=")[2], number)
        connection.execute(
            "UPDATE pg_catalog.pg_dist_node SET nodename = %s, nodeport = 5432 WHERE groupid = %s", place
        )
    for table, first in (("jobs", 100), ("moderation_logs", 200)):
        distribute(connection, table, "job_id")
        for part, node in PARTS.items():
            row = (table, first + part, str(part))
            connection.execute("INSERT INTO pg_catalog.pg_dist_shard VALUES (%s::regclass, %s, %s)", row)
            connection.execute("INSERT INTO pg_catalog.pg_dist_placement VALUES (%s, 1, %s)", (first + part, node))


def fill_parts(connection: psycopg.Connection, group: int, whole: str) -> None:
    """Copy the jobs of a node's parts, and their logs, into tables of these names."""
    copy_tables(whole, connection)
    for part in (part for part, node in PARTS.items() if node == group):
        for table, columns, first in (("jobs", JOBS, 100), ("moderation_logs", f"{LOGS}, client_id", 200)):
            name = f"{table}_{first + part}"
            connection.execute(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)".encode())
            of_part = f"get_byte(uuid_send(job_id), 15) % 4 = {part}"
            connection.execute(f"INSERT INTO {name} ({columns}) SELECT {columns} FROM {table} WHERE {of_part}".encode())
    connection.execute("TRUNCATE jobs, moderation_logs; ANALYZE")


@pytest.mark.parametrize(("first", "size"), [(7, 10_000), (node_copy.FIRST_JOBS, time_slices.SLICE_SIZE)])
@pytest.mark.parametrize("params", FILTERS, ids=str)
def test_a_file_of_nodes_is_that_of_one_database(
    whole: Databases,
    cluster: Cluster,
    params: dict[str, str],
    first: int,
    size: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever the filter, and however many slices there are, the bytes are those of one database."""
    monkeypatch.setattr(node_copy, "FIRST_JOBS", first)
    monkeypatch.setattr(time_slices, "SLICE_SIZE", size)

    document = export_document(cluster.databases, spring(**params))

    assert document == export_document(whole, spring(**params))
    assert len(read_records(document)) > 3


def test_nodes_say_how_many_records_there_are(cluster: Cluster) -> None:
    """The total that is told before the first record is that of the nodes."""

    async def count() -> tuple[int | None, int]:
        started = start_export(
            cluster.databases,
            spring(status="completed"),
            COMMAND_LINE,
            via=Via.CLI,
            reader=Reader(),
            with_total=True,
            first_byte_timeout=50,
            workers=1,
        )
        async with started as running, aclosing(running.stream()) as blocks:
            async for _ in blocks:
                pass
            return running.total, running.progress.rows

    total, rows = asyncio.run(count())

    assert total == rows > 100


def test_jobs_of_the_last_century_come_before_those_of_this_one(cluster: Cluster) -> None:
    """PostgreSQL counts times from 2000 on, and those before backwards: a slice with both is in order."""
    times = ["1999-12-30T23:59:59.999999Z", "1999-12-31T23:59:59.999998Z", "1999-12-31T23:59:59.999999Z"]
    times += ["2000-01-01T00:00:00.000000Z", "2000-01-01T00:00:00.000001Z"]
    for place, moment in enumerate(times):
        part, node = (100, 1) if place % 2 else (101, 2)
        with psycopg.connect(cluster.servers[node], autocommit=True) as connection:
            insert_job(connection, client_id="old", created_at=moment)
            connection.execute(f"INSERT INTO jobs_{part} SELECT * FROM jobs; TRUNCATE jobs".encode())
    old = JobFilter.from_params({"from": "1999-07-01T00:00:00Z", "to": "2000-06-01T00:00:00Z"}.items())

    document = export_document(cluster.databases, old)

    cluster.run("DELETE FROM jobs_100 WHERE client_id = 'old'", 1)
    cluster.run("DELETE FROM jobs_101 WHERE client_id = 'old'", 2)
    assert [record[4] for record in read_records(document)] == times


# What keeps the nodes from being asked, how it is undone, where both happen, and what `core check` says of it.
HINDRANCES = {
    "a node that does not answer": (
        "UPDATE pg_catalog.pg_dist_node SET nodeport = 1 WHERE groupid = 2",
        "UPDATE pg_catalog.pg_dist_node SET nodeport = 5432 WHERE groupid = 2",
        (),
        "cannot be reached with the same role and password",
    ),
    "another server at a node's address": (
        "UPDATE pg_catalog.pg_dist_local_group SET groupid = 7",
        "UPDATE pg_catalog.pg_dist_local_group SET groupid = 2",
        (2,),
        "does not have the parts that the coordinator says it has",
    ),
    "a part that is moved": (
        "UPDATE pg_catalog.pg_dist_placement SET groupid = 2 WHERE shardid IN (102, 202)",
        "UPDATE pg_catalog.pg_dist_placement SET groupid = 1 WHERE shardid IN (102, 202)",
        (2,),
        "does not have the parts that the coordinator says it has",
    ),
    "a part in two places": (
        "INSERT INTO pg_catalog.pg_dist_placement VALUES (101, 1, 1), (201, 1, 1)",
        "DELETE FROM pg_catalog.pg_dist_placement WHERE shardid IN (101, 201) AND groupid = 1",
        (),
        "only the coordinator knows",
    ),
    "a part in no place": (
        "UPDATE pg_catalog.pg_dist_placement SET shardstate = 4 WHERE shardid = 101",
        "UPDATE pg_catalog.pg_dist_placement SET shardstate = 1 WHERE shardid = 101",
        (),
        "only the coordinator knows",
    ),
    "logs apart from their jobs": (
        "UPDATE pg_catalog.pg_dist_partition SET colocationid = 2 WHERE logicalrelid = 'moderation_logs'::regclass",
        "UPDATE pg_catalog.pg_dist_partition SET colocationid = 1 WHERE logicalrelid = 'moderation_logs'::regclass",
        (),
        "only the coordinator knows",
    ),
    "a view": (
        "ALTER TABLE jobs RENAME TO requests; CREATE VIEW jobs AS SELECT * FROM requests",
        "DROP VIEW jobs; ALTER TABLE requests RENAME TO jobs",
        (),
        "only the coordinator knows",
    ),
    "a catalogue that nobody may read": (
        "ALTER TABLE pg_catalog.pg_dist_placement RENAME TO pg_dist_hidden",
        "ALTER TABLE pg_catalog.pg_dist_hidden RENAME TO pg_dist_placement",
        (0,),
        "a server does not say which parts it has (SQLSTATE 42P01)",
    ),
}


@pytest.mark.parametrize(("hinder", "undo", "servers", "said"), HINDRANCES.values(), ids=HINDRANCES)
def test_the_coordinator_gives_what_nodes_cannot(
    cluster: Cluster, hinder: str, undo: str, servers: tuple[int, ...], said: str
) -> None:
    """Where a node cannot be asked, or does not agree on who has what, all of an export is the coordinator's."""
    allowed = "SET allow_system_table_mods = on; "
    cluster.run(allowed + hinder, *servers)
    try:
        finding = asyncio.run(check_snapshot(cluster.databases.source))
        document = export_document(cluster.databases, spring())
    finally:
        cluster.run(allowed + undo, *servers)

    assert said in finding.text
    assert len(read_records(document)) == 1


def test_a_node_that_refuses_the_query_leaves_it_to_the_coordinator(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part that is gone when its turn comes spoils nothing, and nodes are left alone for a while."""
    monkeypatch.setattr(database, "NODES_PAUSE", 60)
    with opened(cluster.settings, cluster.servers) as other:
        cluster.run("ALTER TABLE jobs_102 RENAME TO jobs_gone", 1)
        try:
            given = len(read_records(export_document(other.databases, spring())))
        finally:
            cluster.run("ALTER TABLE jobs_gone RENAME TO jobs_102", 1)
        for_now = len(read_records(export_document(other.databases, spring())))
    later = len(read_records(export_document(cluster.databases, spring())))

    assert (given, for_now, later) == (1, 1, 600)


def test_the_check_says_that_nodes_are_asked(cluster: Cluster) -> None:
    """Who asks how exports go is told that they go to the nodes, and how many these are."""
    assert asyncio.run(check_snapshot(cluster.databases.source)).text.endswith("It asks the 2 nodes themselves.")


@pytest.fixture
def large(cluster: Cluster) -> Iterator[JobFilter]:
    """More jobs on both nodes than fit into what lies between them and Fencepost; the filter that means them."""
    for group, part in ((1, 100), (2, 101)):
        with psycopg.connect(cluster.servers[group], autocommit=True) as connection:
            insert_large_jobs(connection, 1_000, size=20_000, client_id="large")
            connection.execute(f"INSERT INTO jobs_{part} SELECT * FROM jobs; TRUNCATE jobs".encode())
    yield april(client_id="large")
    cluster.run("DELETE FROM jobs_100 WHERE client_id = 'large'", 1)
    cluster.run("DELETE FROM jobs_101 WHERE client_id = 'large'", 2)


def read_after_first(cluster: Cluster, job_filter: JobFilter, meanwhile: Callable[[], None]) -> bytes:
    """Export, and do something after the first block."""

    async def read() -> bytes:
        started = start_export(
            cluster.databases,
            job_filter,
            COMMAND_LINE,
            via=Via.CLI,
            reader=Reader(),
            first_byte_timeout=50,
            workers=1,
        )
        async with started as running, aclosing(running.stream()) as blocks:
            first = await anext(blocks)
            meanwhile()
            return first + b"".join([block async for block in blocks])

    return asyncio.run(read())


def test_what_is_written_on_nodes_meanwhile_does_not_show(cluster: Cluster, large: JobFilter) -> None:
    """An export is what each node held when it began."""
    before = export_document(cluster.databases, large)

    def change() -> None:
        cluster.run("UPDATE jobs_100 SET prompt = 'changed' WHERE client_id = 'large'", 1)
        cluster.run("UPDATE jobs_101 SET prompt = 'changed' WHERE client_id = 'large'", 2)

    assert read_after_first(cluster, large, change) == before
    assert b"changed" in export_document(cluster.databases, large)


def test_a_node_that_goes_away_fails_the_export(cluster: Cluster, large: JobFilter) -> None:
    """A file that one node cannot complete is none, and what is wrong is said of a server behind the source."""

    def end_sessions() -> None:
        cluster.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY %'", 2)

    with pytest.raises(DatabaseUnavailable) as caught:
        read_after_first(cluster, large, end_sessions)

    assert str(caught.value).startswith("A server behind SOURCE_DATABASE_URL cannot be reached")
