"""Citus: a source whose tables are distributed over nodes, by job or by client, gives what one database would.

With TEST_SOURCE_URL, the URL of a superuser at the coordinator of a real Citus, all of this runs there.
"""

import asyncio
import re
from collections.abc import Iterator
from contextlib import aclosing
from datetime import UTC, datetime
from hashlib import sha256

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import select

from core.actor import COMMAND_LINE
from core.check.distribution import check_distribution
from core.check.finding import Level
from core.check.relation import find_relation
from core.check.run import run_checks
from core.db.database import Database
from core.db.databases import Databases
from core.db.startup import open_databases
from core.export import node_copy, parallel_copy, time_slices
from core.export.export import Reader, start_export
from core.export.receipts import Via, find_complete_receipt
from core.facts.tables import job_reasons
from core.intake.demo import seed_jobs
from core.jobs.access import NotedReasons, make_access
from core.jobs.filter import JobFilter
from core.jobs.pages import make_search
from core.jobs.query import JOB_KEY, PageKey, Slice
from core.jobs.search import find_rows
from core.settings import Settings
from tests.conftest import TestServer
from tests.support.citus import CATALOGUE, REAL, TABLES, distribute, distributed_copy
from tests.support.documents import export_document, read_records
from tests.support.sources import FILTERS, STAFF, read_jobs, read_pages

UNTIL = datetime(2026, 5, 1, tzinfo=UTC)
SPRING = {"from": "2026-01-01T00:00:00Z", "to": "2026-06-01T00:00:00Z"}


def spring(**params: str) -> JobFilter:
    return JobFilter.from_params((SPRING | params).items())


@pytest.fixture(scope="module")
def whole(shared_url: str) -> Iterator[Databases]:
    """Demo jobs in one plain database, which is also Fencepost's own."""
    databases = open_databases(Settings(database_url=SecretStr(shared_url)))
    seed_jobs(databases, 600, seed=5, until=UNTIL)
    yield databases
    databases.close()


@pytest.fixture(scope="module", params=["job_id", "client_id"])
def settings_of(
    request: pytest.FixtureRequest, server: TestServer, shared_url: str, whole: Databases
) -> Iterator[Settings]:
    """The settings of a source with the same jobs, distributed by a column."""
    with distributed_copy(server, shared_url, request.param) as source:
        yield Settings(database_url=SecretStr(shared_url), source_database_url=SecretStr(source))


@pytest.fixture(scope="module")
def distributed(settings_of: Settings) -> Iterator[Databases]:
    databases = open_databases(settings_of)
    databases.check()
    yield databases
    databases.close()


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let few jobs make many slices."""
    monkeypatch.setattr(parallel_copy, "FIRST_DISTRIBUTED", 7)
    monkeypatch.setattr(node_copy, "FIRST_JOBS", 7)
    monkeypatch.setattr(time_slices, "SLICE_SIZE", 10_000)


@pytest.mark.usefixtures("small_slices")
@pytest.mark.parametrize("way", ["coordinator"] if REAL is None else ["coordinator", "nodes"])
@pytest.mark.parametrize("params", FILTERS, ids=str)
def test_everything_is_the_same(
    whole: Databases, distributed: Databases, params: dict[str, str], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the filter, and whoever gives it, a file, its pages and what is counted are those of one database."""
    monkeypatch.setattr(distributed.source, "may_ask_nodes", lambda: way == "nodes")
    with whole.source.transaction() as connection:
        rules = connection.execute(select(job_reasons.c.reason).where(job_reasons.c.reason.is_not(None))).scalars()
        # What our own table tells, a page learns of a source that is not ours.
        noted = NotedReasons(rules=frozenset(rules))
    expected = export_document(whole, spring(**params))

    assert export_document(distributed, spring(**params), workers=3) == expected
    assert read_pages(distributed, spring(**params), noted) == read_pages(whole, spring(**params), noted)
    assert len(read_records(expected)) > 3


@pytest.mark.parametrize("search", ["FOX", "words that nobody wrote"])
@pytest.mark.parametrize("is_newest_first", [True, False])
def test_a_search_goes_through_all_stretches(
    whole: Databases, distributed: Databases, search: str, is_newest_first: bool
) -> None:
    """Whatever a search finds and wherever it begins, it is found once, in order, to the end."""
    found = []
    for databases in (whole, distributed):
        with databases.source.transaction() as connection:
            job_filter, keys = spring(q=search), list[PageKey]()
            looking = make_search(connection, job_filter, make_access(databases, STAFF))
            for limit in (1, 3, 2_000):
                part = Slice(None, None)
                if keys:
                    part = Slice(None, keys[-1]) if is_newest_first else Slice(keys[-1], None)
                rows = find_rows(connection, looking, JOB_KEY, part, is_newest_first=is_newest_first, limit=limit).rows
                keys += [PageKey(row.created_at, row.job_id) for row in rows]
            found.append(keys)

    assert found[0] == found[1]
    assert bool(found[0]) is (search == "FOX")


@pytest.mark.usefixtures("small_slices")
def test_what_is_written_meanwhile_does_not_show(
    distributed: Databases, settings_of: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All slices of an export are of the moment it began at, on each node."""
    # Nothing is read before its turn.
    monkeypatch.setattr(parallel_copy, "READ_AHEAD", 1)
    assert settings_of.source_database_url is not None
    before = export_document(distributed, spring())

    async def read_slowly(connection: psycopg.Connection) -> bytes:
        started = start_export(
            distributed, spring(), COMMAND_LINE, via=Via.CLI, reader=Reader(), first_byte_timeout=50, workers=2
        )
        async with started as running, aclosing(running.stream()) as blocks:
            first = await anext(blocks)
            connection.execute("UPDATE jobs SET prompt = prompt || '!'")
            return first + b"".join([block async for block in blocks])

    with psycopg.connect(settings_of.source_database_url.get_secret_value(), autocommit=True) as connection:
        document = asyncio.run(read_slowly(connection))
        after = export_document(distributed, spring())
        connection.execute("UPDATE jobs SET prompt = left(prompt, -1)")

    assert document == before
    assert after != before


def test_a_receipt_says_that_each_node_was_read_by_itself(whole: Databases, distributed: Databases) -> None:
    """What is not one snapshot says so in its receipt; where it is one, the receipt has no word of it."""
    said = []
    for databases in (whole, distributed):
        document = export_document(databases, spring(status="failed"))
        receipt = find_complete_receipt(databases.ours, sha256(document).hexdigest())
        assert receipt is not None
        said.append(receipt.get("snapshot"))

    assert said == [None, "per-node"]


def test_single_jobs_and_clients_are_the_same(whole: Databases, distributed: Databases) -> None:
    """A job, its logs and neighbours, and the clients are those of one database."""
    assert read_jobs(distributed, spring()) == read_jobs(whole, spring())


def test_the_check_says_how_they_are_distributed(distributed: Databases, settings_of: Settings) -> None:
    """Nothing is wrong with it; where they are distributed and that nodes share no snapshot is said."""
    findings = list(run_checks(distributed, settings_of))

    assert [finding.text for finding in findings if finding.level is Level.PROBLEM] == []
    said = [finding.text for finding in findings if "Citus" in finding.text]
    by = "client_id" if distributed.source.topology().joins_by_client else "job_id"
    assert said[0].startswith(f"Citus distributes `jobs` and `moderation_logs` by {by} over 2 nodes, side by side")
    assert said[1].startswith("The nodes of Citus share no snapshot: an export reads each as it was")


@pytest.mark.parametrize(
    ("jobs", "logs", "has_client", "said", "calls"),
    [
        (None, None, True, "the coordinator has all of both", ["create jobs by job_id", "create logs by job_id"]),
        (None, ("job_id", 1), True, "`jobs` is a table of", ["create jobs by job_id", "alter logs by job_id"]),
        (("job_id", 1), None, True, "is a table of the coordinator alone", ["create logs by job_id"]),
        (("client_id", 1), ("job_id", 2), True, "by job_id apart from it", ["alter logs by client_id"]),
        (("client_id", 1), ("job_id", 2), False, "lie on two nodes", ["alter jobs by job_id", "alter logs by job_id"]),
        (("tenant", 1), ("tenant", 1), False, "or by a column", ["alter jobs by job_id", "alter logs by job_id"]),
        (("job_id", 1), (None, 2), False, "each has a copy of `moderation_logs`", []),
    ],
)
def test_the_check_says_what_to_change(
    empty_database_url: str,
    jobs: tuple[str, int] | None,
    logs: tuple[str | None, int] | None,
    has_client: bool,
    said: str,
    calls: list[str],
) -> None:
    """Where a job and its logs may lie on two nodes, it says why, and what calls bring them together."""
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(TABLES.encode())
        if not has_client:
            connection.execute("ALTER TABLE moderation_logs DROP COLUMN client_id")
        connection.execute(CATALOGUE.encode())
        for table, placed in (("jobs", jobs), ("moderation_logs", logs)):
            if placed is not None:
                distribute(connection, table, *placed)
    source = Database("SOURCE_DATABASE_URL", empty_database_url, read_only=True, remedy="")

    with source.transaction() as asking:
        relations = {name: find_relation(asking, name) for name in ("jobs", "moderation_logs")}
        both = [relation for relation in relations.values() if relation is not None]
        (finding,) = check_distribution(asking, both[0], both[1])
    source.close()

    assert said in finding.text
    assert [name_call(statement) for statement in finding.statements] == calls


def name_call(statement: str) -> str:
    """Say in short what a call of Citus does."""
    call = re.fullmatch(
        r"SELECT (create|alter)_distributed_table\('public\.(jobs', '(\w+)'|moderation_logs', '(\w+)',"
        r" colocate_with => 'public\.jobs')\);",
        statement,
    )
    assert call is not None
    return f"{call[1]} jobs by {call[3]}" if call[3] else f"{call[1]} logs by {call[4]}"
