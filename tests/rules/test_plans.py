"""Pages are index work: the plans that PostgreSQL chooses on 75,000 jobs."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import Select, select

from core.counts.by_day import combine_by_day, count_in_time, counts_query, list_midnights
from core.counts.fact_upkeep import keep_facts
from core.db.databases import Databases
from core.db.folding import Folding
from core.db.schema import jobs
from core.db.startup import open_databases
from core.export.job_columns import export_query
from core.jobs.access import JobAccess
from core.jobs.fact_query import asks_for_facts, asks_only_for_facts, bounded_count_query, select_matching
from core.jobs.filter import DateRange, JobFilter
from core.jobs.hidden_text import Texts
from core.jobs.pages import newest_query, page_columns, page_jobs
from core.jobs.query import JOB_KEY, WHOLE, PageKey, Slice, boundary_query, count_jobs, count_query, hash_text
from core.jobs.wall import Wall
from core.settings import Settings
from tests.conftest import TestServer
from tests.support.documents import export_document
from tests.support.plans import explain, read_blocks, sequential, sorted_rows
from tests.support.waiting import wait_for

JOBS = 75_000
PAGE = 50
EVERYBODY = JobAccess(Wall(None), Folding(None), jobs_are_ours=True, tells_api_keys=True)
FACTS = replace(EVERYBODY, has_facts=True, writes_times=True)
SETTLED = replace(FACTS, are_settled=True)

YEAR = {"from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"}

# A job every two hundred seconds; one in eight rejected, one in 25 undecided, rare types and statuses as in real life.
# The oldest are of clients that have one each.
FILL = """
    INSERT INTO jobs
    SELECT gen_random_uuid(), CASE WHEN n <= 40 THEN 'small-' || n ELSE 'client-' || n %% 7 END,
        (ARRAY['prompt', 'pre', 'post', 'image', 'video'])[1 + n %% 97 %% 5],
        CASE WHEN n %% 50 = 0 THEN 'failed' WHEN n %% 51 = 0 THEN 'queued' ELSE 'completed' END,
        CASE WHEN n %% 25 = 0 THEN NULL ELSE n %% 8 = 0 END,
        timestamptz '2026-01-01 00:00:00+00' + n * interval '200 seconds', NULL, 'a prompt of an ordinary length',
        'reason ' || n %% 11,
        'key-' || n %% 9, 'a name'
    FROM generate_series(1, %s) AS n;
"""
LOGS = """
    INSERT INTO moderation_logs (job_id, created_at, category_ai_adult_general, category_underage, category_nsfw)
    SELECT job_id, created_at, false, false, is_prohibited FROM jobs WHERE is_prohibited IS NOT NULL
"""

FILTERS: list[dict[str, str]] = [
    {},
    {"decision": "reject"},
    {"decision": "pass"},
    {"decision": "undecided"},
    {"decision": "reject,pass"},
    {"status": "failed"},
    {"status": "completed"},
    {"type": "video"},
    {"api_key_id": "key-3"},
    {"reason": "reason 3"},
    {"client_id": "client-3"},
    {"client_id": "client-3", "decision": "reject"},
    {"client_id": "client-3", "type": "pre"},
    {"category": "underage", "decision": "pass"},
    {"category_underage": "empty", "category_nsfw": "empty", "evaluated": "true"},
    {"client_id": "client-3", "category": "none"},
]


@pytest.fixture(scope="module")
def large(server: TestServer) -> Iterator[Databases]:
    """A database of 75,000 jobs, analysed and vacuumed as it would be after a while."""
    name = f"fencepost_test_plans_{uuid4().hex[:8]}"
    url = server.create_migrated(name)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(FILL, (JOBS,))
        connection.execute(LOGS)
        connection.execute("VACUUM (ANALYZE) jobs, moderation_logs, job_facts, job_counts")
    databases = open_databases(Settings(database_url=SecretStr(url)))
    yield databases
    databases.close()
    server.drop(name)


def key_of(databases: Databases, place: int) -> PageKey:
    """Find the job that stands so deep in the list, newest first."""
    with databases.source.transaction() as connection:
        row = connection.exec_driver_sql(
            f"SELECT created_at, job_id FROM jobs ORDER BY created_at DESC, job_id DESC OFFSET {place} LIMIT 1"
        ).one()
    return PageKey(*row)


@pytest.mark.parametrize("given", FILTERS, ids=str)
@pytest.mark.parametrize("place", [None, 50_000])
@pytest.mark.parametrize("upwards", [False, True])
def test_a_page_is_index_work_at_any_depth(
    large: Databases, given: dict[str, str], place: int | None, upwards: bool
) -> None:
    """No page scans the table or sorts more than itself, the first as little as one 50,000 jobs deep."""
    if place is None and upwards:
        place = JOBS - 1
    after = None if place is None else key_of(large, place)
    job_filter = JobFilter.from_params((YEAR | given).items())

    query = select_matching(
        JOB_KEY if upwards else page_columns(Texts.ALL, EVERYBODY),
        job_filter,
        EVERYBODY,
        Slice(after, None) if upwards else Slice(None, after),
        is_newest_first=not upwards,
        limit=PAGE + 1,
        by_facts=asks_only_for_facts(job_filter) and asks_for_facts(job_filter),
    )
    nodes = explain(large, query)

    assert sequential(nodes) == []
    assert sorted_rows(nodes) <= PAGE + 1
    assert read_blocks(nodes) < 1_000


@pytest.mark.parametrize("given", [{}, {"decision": "reject"}], ids=str)
def test_a_page_behind_a_wall_of_small_clients_reads_these_alone(large: Databases, given: dict[str, str]) -> None:
    """Who may see forty clients with a job each is not kept waiting by all the jobs of others."""
    job_filter = JobFilter.from_params((YEAR | given).items())
    access = replace(SETTLED, wall=Wall(*(f"small-{number}" for number in range(1, 41))))

    query = select_matching(
        page_columns(Texts.ALL, access),
        job_filter,
        access,
        Slice(None, None),
        is_newest_first=True,
        limit=PAGE + 1,
        by_facts=bool(given),
    )
    with large.source.transaction() as connection:
        found = len(connection.execute(query).all())

    assert found == (5 if given else 40)
    # Of a decision each of its 28 codes is looked up for each client.
    assert read_blocks(explain(large, query)) < (5_000 if given else 500)


@pytest.mark.parametrize("given", FILTERS, ids=str)
def test_a_bounded_count_is_index_work(large: Databases, given: dict[str, str]) -> None:
    """Counting to 10,001 reads a stretch of an index, never the table from end to end."""
    job_filter = JobFilter.from_params((YEAR | given).items())

    by_facts = asks_only_for_facts(job_filter) and asks_for_facts(job_filter)
    query = (
        bounded_count_query(job_filter, EVERYBODY, 10_001)
        if by_facts
        else count_query(job_filter, EVERYBODY, limit=10_001)
    )

    nodes = explain(large, query)

    assert sequential(nodes) == []
    assert sorted_rows(nodes) == 0


def test_what_is_asked_often_is_planned_for_its_values(large: Databases) -> None:
    """A rare status is found by the index of rare ones the twelfth time as well, where one plan would serve any."""
    job_filter = JobFilter.from_params((YEAR | {"status": "failed"}).items())

    with large.source.transaction() as connection:
        for _ in range(12):
            count_jobs(connection, job_filter, EVERYBODY, limit=10_001)
        plans = connection.exec_driver_sql(
            "SELECT sum(generic_plans), sum(custom_plans) FROM pg_prepared_statements WHERE statement ~ 'jobs.status'"
        ).one()

    assert plans[0] == 0
    assert plans[1] > 5


@pytest.mark.parametrize("given", FILTERS, ids=str)
def test_statements_of_a_form_are_written_once(large: Databases, given: dict[str, str]) -> None:
    """A filter with other values is the statement that was written for the first ones: writing it takes longest."""
    written: dict[Any, Any] = {}
    forms = []

    with large.source.engine.connect().execution_options(compiled_cache=written) as connection:
        for year in ("2026", "2027"):
            bounds = {"from": f"{year}-01-01T00:00:00Z", "to": f"{year}-03-01T00:00:00Z"}
            job_filter = JobFilter.from_params((bounds | given).items())
            page_jobs(connection, job_filter, FACTS, after=None, limit=PAGE, texts=Texts.ALL)
            count_in_time(connection, job_filter, FACTS, limit=1_000)
            combine_by_day(connection, job_filter, FACTS, ZoneInfo("UTC"))
            forms.append(len(written))

    assert forms[0] == forms[1] >= 3


@pytest.mark.parametrize(("wall", "client"), [(None, None), (None, "client-3"), ("client-3", None)])
def test_the_newest_job_is_the_end_of_an_index(large: Databases, wall: str | None, client: str | None) -> None:
    """When the newest job was created takes a step down an index, of one client or of all."""
    nodes = explain(large, newest_query(Wall(wall), client))

    assert sequential(nodes) == []
    assert read_blocks(nodes) < 20


def test_a_slice_of_an_export_reads_itself_and_no_more(large: Databases) -> None:
    """A slice in the middle of a year touches as little as one at its beginning."""
    bounds = DateRange(key_of(large, 50_000).created_at, key_of(large, 49_000).created_at)

    nodes = explain(large, export_query(JobFilter(range=bounds), EVERYBODY))

    assert nodes[0]["Actual Rows"] == 1000
    assert sequential(nodes) == []
    assert read_blocks(nodes) < 8_000


def test_a_breakdown_reads_counts_and_parts_of_hours(large: Databases) -> None:
    """The days of months are sums of what is counted by the hour; of the jobs none is read."""
    job_filter = JobFilter.from_params((YEAR | {"to": "2026-07-01T00:00:00Z"}).items())
    keep_facts(large.ours)
    large.ours.vacuum("job_counts")
    midnights = list_midnights(job_filter.range, ZoneInfo("Asia/Kathmandu"))

    nodes = explain(large, counts_query(job_filter, EVERYBODY, midnights))

    read = {node.get("Relation Name"): node["Actual Rows"] * node["Actual Loops"] for node in nodes}
    assert read["job_counts"] > 0
    assert read["jobs"] == 0
    assert sequential(nodes) == []


def _page(**given: str) -> Select[Any]:
    job_filter = JobFilter.from_params((YEAR | given).items())
    return select_matching(
        page_columns(Texts.ALL, SETTLED),
        job_filter,
        SETTLED,
        Slice(None, None),
        is_newest_first=True,
        limit=PAGE + 1,
        by_facts=asks_for_facts(job_filter),
    )


def _slice(**given: str) -> Select[Any]:
    return export_query(JobFilter.from_params((YEAR | given).items()), SETTLED)


def test_an_export_of_a_category_looks_up_no_log(large: Databases) -> None:
    """Few jobs of a category are found by their facts, and not by the latest log of one job after another."""
    nodes = explain(large, _slice(category="underage", decision="pass"))

    assert {node.get("Relation Name") for node in nodes} <= {None, "jobs", "job_facts"}
    assert sequential(nodes) == []


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    "given",
    [
        {"category": "nsfw", "client_id": "client-3"},
        {"client_id": "client-3"},
        {"client_id": "client-3", "decision": "pass"},
        {"decision": "reject"},
        {"decision": "undecided"},
    ],
    ids=str,
)
def test_an_export_of_few_jobs_reads_the_facts_of_these(large: Databases, given: dict[str, str], workers: int) -> None:
    """What a client has, in a category or at all, or what was rejected, is what its export reads, slice by slice."""
    keep_facts(large.ours)
    job_filter = JobFilter.from_params((YEAR | given).items())
    before = read_facts(large)

    exported = export_document(large, job_filter, workers=workers).count(b"\n") - 1

    wait_for(lambda: read_facts(large) - before >= exported, "what the export's sessions have read")
    assert exported > 1_000
    assert read_facts(large) - before < 1.5 * exported


def read_facts(databases: Databases) -> int:
    """Return how many entries of their indexes, and rows, have been read for facts until now."""
    with databases.source.transaction() as connection:
        return int(
            connection.exec_driver_sql(
                "SELECT sum(pg_stat_get_tuples_returned(indexrelid)) + pg_stat_get_tuples_returned(indrelid)"
                " FROM pg_index WHERE indrelid = 'job_facts'::regclass GROUP BY indrelid"
            ).scalar_one()
        )


# A question that each index of the jobs and of their facts serves where facts are complete.
SERVED: dict[str, Select[Any]] = {
    "jobs_pkey": select(jobs.c.client_id).where(jobs.c.job_id == UUID(int=1)),
    "jobs_created_at": _page(),
    "jobs_rejected": _slice(decision="reject"),
    "jobs_undecided": _slice(decision="undecided"),
    "jobs_client": _page(client_id="client-3"),
    "jobs_client_rejected": boundary_query(
        JobFilter.from_params((YEAR | {"client_id": "client-3", "decision": "reject"}).items()), EVERYBODY, WHOLE, 100
    ),
    "jobs_status": _page(status="failed"),
    "jobs_type": _page(type="video"),
    "jobs_api_key": _page(api_key_id="key-3"),
    "jobs_reason": _page(reason="reason 3"),
    "jobs_same_prompt": select(jobs.c.job_id).where(hash_text(jobs.c.prompt) == 1),
    "job_facts_pkey": _slice(),
    "job_facts_code": _page(category="underage"),
    "job_facts_client": _page(category="underage", client_id="client-3"),
}


def test_no_index_of_jobs_is_superfluous(large: Databases) -> None:
    """Each index costs every writer something, so each is one that a question goes by where facts are complete."""
    with large.ours.transaction() as connection:
        there = connection.exec_driver_sql(
            "SELECT indexname FROM pg_indexes WHERE tablename IN ('jobs', 'job_facts')"
        ).scalars()
        assert set(there) == SERVED.keys()

    gone_by = {name: {node.get("Index Name") for node in explain(large, query)} for name, query in SERVED.items()}

    assert [name for name, used in gone_by.items() if name not in used] == []
