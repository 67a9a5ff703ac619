"""Jobs in months: a table for each, with the same pages, counts, exports and imports as one table."""

import io
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from threading import Thread
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import Connection, Select, text

from core import upkeep
from core.actor import COMMAND_LINE
from core.counts.by_day import counts_query, jobs_query, list_midnights
from core.counts.fact_upkeep import keep_facts
from core.counts.outcomes import Sums
from core.db.databases import Databases
from core.db.folding import Folding
from core.db.partitions import make_months
from core.db.startup import migrate, open_databases
from core.export.job_columns import export_query
from core.intake.demo import seed_jobs
from core.intake.importer import Imported, import_jobs
from core.intake.job_file import JobFile
from core.jobs.access import JobAccess
from core.jobs.fact_query import select_matching
from core.jobs.filter import DateRange, JobFilter
from core.jobs.hidden_text import Texts
from core.jobs.pages import page_columns
from core.jobs.query import WHOLE, PageKey, Slice, boundary_query, count_query
from core.jobs.wall import Wall
from core.settings import Settings
from tests.conftest import ROOT, TestServer
from tests.support.days import sum_days
from tests.support.documents import HEADER, export_document, read_records
from tests.support.plans import explain, read, scanned, sequential, sorted_rows
from tests.support.rows import insert_job, insert_log
from tests.support.waiting import wait_for

# Demo jobs are of the 120 days before it: from January on.
UNTIL = datetime(2026, 5, 1, tzinfo=UTC)
SPRING = {"from": "2026-01-01T00:00:00Z", "to": "2026-06-01T00:00:00Z"}
MARCH = datetime(2026, 3, 15, 12, tzinfo=UTC)
APRIL = datetime(2026, 4, 15, 12, tzinfo=UTC)
EVERYBODY = JobAccess(Wall(None), Folding(None))


@contextmanager
def made(server: TestServer, template: str | None = None) -> Iterator[str]:
    """Make a database whose jobs are in months, or a copy of one, for a block; give its URL."""
    name = f"fencepost_test_months_{uuid4().hex[:8]}"
    if template is None:
        url = server.create_empty(name)
        migrate(Settings(database_url=SecretStr(url)), partitioned=True)
    else:
        url = server.create_migrated(name, template)
    yield url
    server.drop(name)


@contextmanager
def opened(url: str) -> Iterator[Databases]:
    databases = open_databases(Settings(database_url=SecretStr(url)))
    yield databases
    databases.close()


@pytest.fixture(scope="module")
def template(server: TestServer) -> Iterator[str]:
    """The name of a database without jobs, to be copied; also without months, so that copying takes little."""
    with made(server) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP TABLE {', '.join(names(connection) - {'jobs_other'})}".encode())
            name = connection.info.dbname
        yield name


@pytest.fixture
def database_url(server: TestServer, template: str) -> Iterator[str]:
    """The URL of a database without jobs, which are in months: for all fixtures of this module."""
    with made(server, template) as url:
        yield url


@pytest.fixture(scope="module")
def seeded(server: TestServer, template: str) -> Iterator[tuple[Databases, Databases]]:
    """The same 6,000 demo jobs in one table and in months."""
    name = f"fencepost_test_plain_{uuid4().hex[:8]}"
    with opened(server.create_migrated(name)) as plain, made(server, template) as url, opened(url) as months:
        for databases in (plain, months):
            seed_jobs(databases, 6_000, seed=3, until=UNTIL)
        yield plain, months
    server.drop(name)


def spring(**params: str) -> JobFilter:
    return JobFilter.from_params((SPRING | params).items())


def names(connection: psycopg.Connection) -> set[str]:
    """Return the names of all months that `jobs` has, and of the table beside them."""
    rows = connection.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'jobs'::regclass")
    return {name for (name,) in rows}


def places(connection: psycopg.Connection) -> list[tuple[str, int]]:
    return connection.execute("SELECT tableoid::regclass::text, count(*) FROM jobs GROUP BY 1 ORDER BY 1").fetchall()


def days(databases: Databases, *, by_facts: bool) -> dict[date, Sums]:
    """Sum the days of the spring up; those without jobs are left out."""
    with databases.source.transaction() as connection:
        access = replace(EVERYBODY, has_facts=by_facts)
        found = sum_days(connection, spring(), access, ZoneInfo("UTC"))
    return {day: sums for day, sums in found.items() if sums.jobs}


def page_of(
    job_filter: JobFilter, part: Slice = WHOLE, *, is_newest_first: bool = True, by_facts: bool = False
) -> Select[Any]:
    """Build the query of a page."""
    columns = page_columns(Texts.ALL, EVERYBODY)
    return select_matching(
        columns, job_filter, EVERYBODY, part, is_newest_first=is_newest_first, limit=51, by_facts=by_facts
    )


def take(databases: Databases, document: bytes) -> Imported:
    job_file = JobFile(file=io.BytesIO(document), client_id="acme", name="a.csv")
    return import_jobs(databases, job_file, COMMAND_LINE)


def record(job_id: UUID, created_at: str, completed_at: str, flag: str = "") -> bytes:
    return f"{job_id},prompt,completed,true,{created_at},{completed_at},a prompt,,{flag},,\n".encode()


def test_the_option_makes_a_year_of_months(
    run_core: Callable[..., subprocess.CompletedProcess[bytes]], empty_database_url: str
) -> None:
    """In a new database it makes this month, the next twelve, and a place for all else; again it changes nothing."""
    made = run_core("migrate", "--partitioned", DATABASE_URL=empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        first = names(connection)
        triggers = connection.execute(
            "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal GROUP BY tgrelid"
        ).fetchall()
    again = run_core("migrate", "--partitioned", DATABASE_URL=empty_database_url)
    plainly = run_core("migrate", DATABASE_URL=empty_database_url)

    assert [(done.returncode, done.stdout, done.stderr) for done in (made, again, plainly)] == [(0, b"", b"")] * 3
    assert f"jobs_{datetime.now(UTC):%Y_%m}" in first
    assert "jobs_other" in first
    assert len(first) in (14, 15)
    assert triggers.count((6,)) == len(first) + 1
    with psycopg.connect(empty_database_url) as connection:
        assert names(connection) == first


def test_months_have_all_columns_and_indexes_of_one_table(
    server: TestServer, databases: Databases, connection: psycopg.Connection
) -> None:
    """Whatever serves a filter on one table serves it in each month; only the key has one more column."""
    query = """
        SELECT regexp_replace(indexdef, 'INDEX .* ON (ONLY )?', 'INDEX ON ') FROM pg_indexes
        WHERE tablename = ANY (%s) UNION ALL
        SELECT concat_ws(' ', column_name, data_type, is_nullable) FROM information_schema.columns
        WHERE table_name = ANY (%s) ORDER BY 1
    """
    make_months(databases.ours.transaction, [MARCH])
    name = f"fencepost_test_plain_{uuid4().hex[:8]}"

    with psycopg.connect(server.create_migrated(name)) as other:
        plain = [row for (row,) in other.execute(query, (["jobs"], ["jobs"]))]
    server.drop(name)
    found = {
        table: [row for (row,) in connection.execute(query, ([table], [table]))] for table in ("jobs", "jobs_2026_03")
    }

    key = "CREATE UNIQUE INDEX ON public.{} USING btree (job_id{})"
    assert key.format("jobs", "") in plain
    for table, rows in found.items():
        expected = [row.replace("public.jobs", f"public.{table}") for row in plain]
        expected[expected.index(key.format(table, ""))] = key.format(table, ", created_at")
        assert sorted(rows) == sorted(expected)


def test_the_option_is_for_new_databases(
    run_core: Callable[..., subprocess.CompletedProcess[bytes]], server: TestServer
) -> None:
    """A database with one table of jobs stays as it is, and a source elsewhere is never made."""
    name = f"fencepost_test_plain_{uuid4().hex[:8]}"
    plain = server.create_migrated(name)

    refused = run_core("migrate", "--partitioned", DATABASE_URL=plain)
    elsewhere = run_core("migrate", "--partitioned", SOURCE_DATABASE_URL=plain)
    server.drop(name)

    assert (refused.returncode, refused.stderr) == (
        1,
        b"Error: The table jobs is there already, in one piece: --partitioned is for a new database. Make one, and "
        b"import there what `python -m core export` gives of this one.\n",
    )
    assert (elsewhere.returncode, elsewhere.stderr) == (
        1,
        b"Error: The jobs live in SOURCE_DATABASE_URL, which Fencepost never writes: leave --partitioned out.\n",
    )


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize(
    "params", [{}, {"decision": "reject"}, {"category": "nsfw,underage"}, {"q": "fox"}, {"spreadsheet_safe": "true"}]
)
def test_exports_are_the_same_bytes(seeded: tuple[Databases, Databases], params: dict[str, str], workers: int) -> None:
    """One table or months, one connection or several: the file is the same."""
    documents = [export_document(databases, spring(**params), workers=workers) for databases in seeded]

    assert len(read_records(documents[0])) > 100
    assert documents[0] == documents[1]


def test_days_are_the_same_counts(seeded: tuple[Databases, Databases]) -> None:
    """One table or months, counted ahead or not, the days have the same figures."""
    plain, months = seeded

    assert days(months, by_facts=True) == days(plain, by_facts=False) == days(months, by_facts=False)


@pytest.mark.parametrize(
    "given", [{}, {"decision": "reject"}, {"client_id": "demo-eastwind"}, {"type": "video"}], ids=str
)
@pytest.mark.parametrize(
    ("bounds", "months"),
    [
        (("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"), {"jobs_2026_03"}),
        (("2026-02-20T00:00:00Z", "2026-04-01T00:00:00.000001Z"), {"jobs_2026_02", "jobs_2026_03", "jobs_2026_04"}),
    ],
    ids=["one", "three"],
)
def test_queries_touch_only_their_months(
    seeded: tuple[Databases, Databases], given: dict[str, str], bounds: tuple[str, str], months: set[str]
) -> None:
    """Pages, counts, slices and their ends name no other month, scan no table, and all jobs come without a sort."""
    job_filter = JobFilter.from_params((dict(zip(("from", "to"), bounds, strict=True)) | given).items())
    key = PageKey(MARCH, UUID(int=0))
    queries = [
        page_of(job_filter),
        page_of(job_filter, Slice(None, key)),
        page_of(job_filter, Slice(key, None), is_newest_first=False),
        count_query(job_filter, EVERYBODY, limit=10_001),
        count_query(job_filter, EVERYBODY),
        boundary_query(job_filter, EVERYBODY, WHOLE, 2_000),
        boundary_query(job_filter, EVERYBODY, Slice(key, None), 2_000),
        export_query(job_filter, EVERYBODY),
        export_query(replace(job_filter, range=DateRange(MARCH, MARCH + timedelta(hours=5))), EVERYBODY),
    ]

    if "decision" in given:
        queries += [page_of(job_filter, Slice(key, None), is_newest_first=up, by_facts=True) for up in (True, False)]

    for query in queries:
        nodes = explain(seeded[1], query)

        assert scanned(nodes) <= months | {"moderation_logs", "job_facts", "job_facts_unsettled"}
        assert "jobs_2026_03" in scanned(nodes)
        assert sequential(nodes) == []
        # Of a filter that leaves few jobs PostgreSQL may sort these: it depends on the server's costs.
        assert given or sorted_rows(nodes) == 0


@pytest.mark.parametrize("by_facts", [True, False])
def test_a_breakdown_touches_only_its_months(seeded: tuple[Databases, Databases], by_facts: bool) -> None:
    """Days are counted from their months alone, and what was counted ahead from none."""
    march = JobFilter.from_params({"from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z"}.items())
    query = (counts_query if by_facts else jobs_query)(march, EVERYBODY, list_midnights(march.range, ZoneInfo("UTC")))

    nodes = explain(seeded[1], query)

    assert {name for name in scanned(nodes) if name.startswith("jobs_")} == {"jobs_2026_03"}
    assert ("jobs_2026_03" in read(nodes)) != by_facts


def test_a_page_reads_no_month_that_it_does_not_come_to(seeded: tuple[Databases, Databases]) -> None:
    """Of a range of four months the first page reads the last alone."""
    job_filter = spring(**{"from": "2026-01-01T00:00:00Z", "to": "2026-05-01T00:00:00Z"})

    nodes = explain(seeded[1], page_of(job_filter))

    assert read(nodes) == {"jobs_2026_04", "moderation_logs"}


def test_what_was_exported_is_imported_into_months(
    seeded: tuple[Databases, Databases], databases: Databases, connection: psycopg.Connection
) -> None:
    """A file of one table makes the months that it needs, whose export is the file; again it changes nothing."""
    document = export_document(seeded[0], spring())

    imported = take(databases, document)
    again = take(databases, document)

    assert (imported.records, imported.inserted) == (6_000, 6_000)
    assert (again.inserted, again.updated, again.unchanged, again.logs) == (0, 0, 6_000, 0)
    assert [name for name, _ in places(connection)] == [f"jobs_2026_0{month}" for month in (1, 2, 3, 4)]
    assert export_document(databases, spring(), workers=2) == document


def test_a_job_is_never_there_twice(databases: Databases, connection: psycopg.Connection) -> None:
    """The same job with another time moves to that one's month, with its logs, and back for no older file."""
    job = uuid4()
    first = record(job, "2026-03-15T12:00:00Z", "2026-03-15T12:00:01Z", "true")
    later = record(job, "2026-04-15T12:00:00Z", "2026-04-15T12:00:01Z", "true")
    take(databases, HEADER + first)
    keep_facts(databases.ours)

    moved = take(databases, HEADER + later)
    older = take(databases, HEADER + first)

    assert (moved.inserted, moved.updated, moved.logs) == (0, 1, 0)
    assert (older.inserted, older.updated, older.unchanged, older.logs) == (0, 0, 1, 0)
    assert connection.execute("SELECT job_id, created_at FROM jobs").fetchall() == [(job, APRIL)]
    assert connection.execute("SELECT job_id FROM moderation_logs").fetchall() == [(job,)]
    assert days(databases, by_facts=True) == days(databases, by_facts=False)


def test_months_are_made_for_what_a_file_holds(databases: Databases, connection: psycopg.Connection) -> None:
    """Months with jobs are made, none between them, and none for a clock that is wrong."""
    before = names(connection)
    times = ("1970-01-01T00:00:00Z", "2019-12-31T23:59:59.999999Z", "2021-02-01T00:00:00+14:00", "9999-12-31T23:59:59Z")

    take(databases, HEADER + b"".join(record(uuid4(), time, "") for time in times))

    assert names(connection) - before == {"jobs_2019_12", "jobs_2021_01"}
    assert places(connection) == [("jobs_2019_12", 1), ("jobs_2021_01", 1), ("jobs_other", 2)]


LATER: dict[str, str] = {
    "another month": "UPDATE jobs SET created_at = created_at + interval '1 month'",
    "a job beside jobs": """
        INSERT INTO jobs_2026_03 SELECT gen_random_uuid(), 'acme', 'prompt', 'queued', NULL, '2026-03-15T12:01:00Z'""",
    "a decision beside jobs": "UPDATE jobs_2026_03 SET is_prohibited = NULL",
    "no month any more": "UPDATE jobs SET created_at = '2026-05-15T12:00:00Z'",
    "a late log": "UPDATE moderation_logs SET category_nsfw = true",
    "a job that is gone": "DELETE FROM jobs",
    "an emptied month": "TRUNCATE jobs_2026_03",
    "emptied tables": "TRUNCATE jobs, moderation_logs",
}


@pytest.mark.parametrize("later", LATER)
def test_what_happens_after_counting_counts(databases: Databases, connection: psycopg.Connection, later: str) -> None:
    """Whoever changes jobs, in `jobs` or in a month itself, what was counted ahead of them is right at once."""
    take(databases, HEADER + record(uuid4(), "2026-04-01T00:00:00Z", ""))
    take(databases, HEADER + record(uuid4(), "2026-03-01T00:00:00Z", "2026-03-01T00:00:01Z", "true"))
    keep_facts(databases.ours)
    before = days(databases, by_facts=True)

    connection.execute(LATER[later].encode())

    assert before != days(databases, by_facts=True) == days(databases, by_facts=False)
    keep_facts(databases.ours)
    assert days(databases, by_facts=True) == days(databases, by_facts=False)


def test_a_job_takes_its_logs_along(databases: Databases, connection: psycopg.Connection) -> None:
    """Deleting a job deletes its logs, as the foreign key of one table does, and nobody else's."""
    jobs = [insert_job(connection, created_at=MARCH) for _ in range(3)]
    for job in jobs:
        insert_log(connection, job)

    connection.execute("DELETE FROM jobs WHERE job_id = %s", (jobs[0],))
    connection.execute("DELETE FROM jobs_other WHERE job_id = %s", (jobs[1],))

    assert connection.execute("SELECT job_id FROM moderation_logs").fetchall() == [(jobs[2],)]


def test_nobody_is_refused_and_migrate_tidies_up(
    databases: Databases, connection: psycopg.Connection, settings: Settings
) -> None:
    """Jobs without a month are taken, and `migrate` gives them one, with their logs, counts and bytes as they were."""
    for created_at in (MARCH, MARCH, APRIL, datetime(2999, 1, 1, tzinfo=UTC)):
        insert_log(connection, insert_job(connection, created_at=created_at), category_nsfw=True)
    connection.execute("UPDATE jobs SET created_at = 'infinity' WHERE created_at > '2990-01-01Z'")
    keep_facts(databases.ours)
    before, counted = export_document(databases, spring()), days(databases, by_facts=True)
    assert places(connection) == [("jobs_other", 4)]

    migrate(settings)

    assert places(connection) == [("jobs_2026_03", 2), ("jobs_2026_04", 1), ("jobs_other", 1)]
    assert export_document(databases, spring()) == before
    assert days(databases, by_facts=True) == days(databases, by_facts=False) == counted
    assert connection.execute("SELECT count(*) FROM moderation_logs JOIN jobs USING (job_id)").fetchone() == (4,)
    # The triggers of what is left there work on.
    connection.execute("DELETE FROM jobs_other")
    assert connection.execute("SELECT count(*) FROM moderation_logs").fetchone() == (3,)


def test_servers_make_the_next_month_in_time(databases: Databases, connection: psycopg.Connection) -> None:
    """A server that runs makes this month and the next one where they are missing."""
    now = datetime.now(UTC)
    wanted = {f"jobs_{instant:%Y_%m}" for instant in (now, now + upkeep.NEXT_MONTH)}
    assert names(connection) == {"jobs_other"}

    with upkeep.upkeep(databases, Settings()):
        wait_for(lambda: wanted <= names(connection), "the months")


def test_a_month_is_made_while_an_export_runs(databases: Databases, connection: psycopg.Connection) -> None:
    """Whoever reads months that are there neither waits for a new one nor keeps it waiting."""
    take(databases, HEADER + record(uuid4(), "2026-03-15T12:00:00Z", ""))

    with databases.ours.transaction() as reading:
        march = JobFilter.from_params({"from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z"}.items())
        assert reading.execute(count_query(march, EVERYBODY)).scalar_one() == 1
        take(databases, HEADER + record(uuid4(), "2026-04-15T12:00:00Z", ""))

    assert places(connection) == [("jobs_2026_03", 1), ("jobs_2026_04", 1)]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_export_that_waits_for_a_month_leaves_nothing_out(
    databases: Databases, connection: psycopg.Connection, workers: int
) -> None:
    """Jobs that move to their month after the snapshot was taken, and before the first one is read, are exported."""
    for created_at in (MARCH, MARCH, APRIL):
        insert_log(connection, insert_job(connection, created_at=created_at), category_nsfw=True)
    keep_facts(databases.ours)
    march = spring(**{"from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z"})
    before = export_document(databases, march)

    @contextmanager
    def transaction_that_waits() -> Iterator[Connection]:
        with databases.ours.transaction() as making:
            yield making
            if making.execute(text("SELECT to_regclass('jobs_2026_03')")).scalar_one() is not None:
                exporting.start()
                wait_for(lambda: waiting(connection), "an export that waits for jobs_other")

    exported: list[bytes] = []
    exporting = Thread(target=lambda: exported.append(export_document(databases, march, workers=workers)))
    make_months(transaction_that_waits, [MARCH])
    exporting.join()

    assert places(connection) == [("jobs_2026_03", 2), ("jobs_other", 1)]
    assert exported == [before]


def waiting(connection: psycopg.Connection) -> bool:
    return bool(connection.execute("SELECT FROM pg_locks WHERE NOT granted AND relation IS NOT NULL").rowcount)


def documented(first: str) -> list[str]:
    """Return the statements of the block of SQL in docs/large.md that begins so."""
    blocks = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "large.md").read_text(), re.DOTALL)
    (found,) = (block for block in blocks if block.startswith(first))
    return [statement for statement in found.split(";\n") if statement.strip()]


@pytest.fixture
def two_months(databases: Databases, connection: psycopg.Connection) -> bytes:
    """The export of 200 jobs of February, where as many of January are, and all are counted ahead."""
    for month in (1, 2):
        rows = (record(uuid4(), f"2026-0{month}-15T12:00:00Z", "", "true") for _ in range(200))
        take(databases, HEADER + b"".join(rows))
    return export_document(databases, spring(**{"from": "2026-02-01T00:00:00Z"}))


@pytest.mark.parametrize("way", ["BEGIN;\nSET LOCAL", "ALTER TABLE jobs DETACH PARTITION jobs_2026_01 CONCURRENTLY"])
def test_an_old_month_is_detached_as_documented(
    databases: Databases, connection: psycopg.Connection, settings: Settings, two_months: bytes, way: str
) -> None:
    """What is left is exported and counted as it was, a late job of that month is taken, and it can come back."""
    whole = export_document(databases, spring())
    if "CONCURRENTLY" in way:
        connection.execute("DROP TABLE jobs_other")

    for statement in documented(way):
        connection.execute(statement.encode())
    left = export_document(databases, spring(), workers=2)
    counted = days(databases, by_facts=True)
    keep_facts(databases.ours)
    counted_again = days(databases, by_facts=True)
    kept = connection.execute("SELECT count(*) FROM jobs_2026_01").fetchone()
    for statement in documented("BEGIN;\nALTER TABLE jobs ATTACH"):
        connection.execute(statement.encode())

    assert left == two_months
    assert [sums.jobs for sums in counted.values()] == [200]
    assert counted == counted_again
    assert kept == (200,)
    assert export_document(databases, spring()) == whole
    assert [sums.jobs for sums in days(databases, by_facts=True).values()] == [200, 200]
    assert days(databases, by_facts=True) == days(databases, by_facts=False)


def test_a_detached_month_is_removed_with_its_logs_as_documented(
    databases: Databases, connection: psycopg.Connection, settings: Settings, two_months: bytes
) -> None:
    """Its logs are deleted and nobody else's; a job of that month that comes late is taken, and gets its month."""
    for statement in documented("BEGIN;\nSET LOCAL"):
        connection.execute(statement.encode())
    take(databases, HEADER + record(uuid4(), "2026-01-20T12:00:00Z", ""))
    migrate(settings)
    assert places(connection) == [("jobs_2026_02", 200), ("jobs_other", 1)]

    for statement in documented("DELETE FROM moderation_logs"):
        connection.execute(statement.encode())
    migrate(settings)

    assert places(connection) == [("jobs_2026_01", 1), ("jobs_2026_02", 200)]
    assert connection.execute("SELECT count(*) FROM moderation_logs").fetchone() == (200,)
    assert export_document(databases, spring(**{"from": "2026-02-01T00:00:00Z"})) == two_months
    assert days(databases, by_facts=True) == days(databases, by_facts=False)


def test_a_detached_month_comes_back_beside_late_jobs_as_documented(
    databases: Databases, connection: psycopg.Connection, settings: Settings, two_months: bytes
) -> None:
    """Where jobs of that month have come since, all of them are in it at the end, with their logs and right counts."""
    for statement in documented("BEGIN;\nSET LOCAL"):
        connection.execute(statement.encode())
    take(databases, HEADER + record(uuid4(), "2026-01-20T12:00:00Z", "", "true"))

    for statement in documented("ALTER TABLE jobs_2026_01 RENAME"):
        connection.execute(statement.encode())
    migrate(settings)
    for statement in documented("INSERT INTO jobs SELECT"):
        connection.execute(statement.encode())

    assert places(connection) == [("jobs_2026_01", 201), ("jobs_2026_02", 200)]
    assert connection.execute("SELECT count(*) FROM moderation_logs JOIN jobs USING (job_id)").fetchone() == (401,)
    assert days(databases, by_facts=True) == days(databases, by_facts=False)


def test_a_source_elsewhere_may_be_in_months(
    databases: Databases, database_url: str, empty_database_url: str, connection: psycopg.Connection
) -> None:
    """Read as a source, jobs in months are exported the same, and nothing is made there."""
    insert_job(connection, created_at=MARCH)
    before = names(connection)
    settings = Settings(database_url=SecretStr(empty_database_url), source_database_url=SecretStr(database_url))
    migrate(settings)
    apart = open_databases(settings)

    document = export_document(apart, spring())
    with upkeep.upkeep(apart, settings):
        apart.check()
    apart.close()

    assert document == export_document(databases, spring())
    assert names(connection) == before
