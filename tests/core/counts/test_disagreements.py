"""What the page of categories counts is what the filters that it links to mean, whatever was written and counted."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from uuid import uuid4
from zoneinfo import ZoneInfo

import psycopg
import pytest
from pydantic import SecretStr

from core.counts.by_day import combine_by_day, list_days
from core.counts.disagreements import Disagreement, Suspects, explained_filter, find_suspects, narrow
from core.counts.fact_upkeep import keep_facts
from core.counts.log_coverage import Coverage, cover, find_drops
from core.counts.outcomes import Combination, count_together, share, sum_up
from core.db.databases import Databases
from core.db.startup import open_databases
from core.instants import day_start
from core.jobs.access import make_access
from core.jobs.filter import Category, DateRange, JobFilter
from core.jobs.query import count_jobs
from core.jobs.reasons import count_with_reason
from core.jobs.wall import Wall
from core.settings import Settings
from tests.conftest import TestServer
from tests.support.days import sum_days
from tests.support.documents import APRIL, april
from tests.support.rows import NOON, insert_job, insert_log

ADULT, UNDERAGE, NSFW = Category
ALL = "ai_adult_general,underage,nsfw"

# Filters that an address may hold: one that is counted ahead, and those that narrow or contradict a disagreement.
FILTERS: list[dict[str, str]] = [
    {},
    {"client_id": "acme"},
    {"decision": "reject"},
    {"decision": "pass,undecided"},
    {"decision": "undecided"},
    {"category": "underage,nsfw"},
    {"category": "none"},
    {"category_nsfw": "empty"},
    {"category_underage": "true", "decision": "reject"},
    {"evaluated": "true"},
    {"evaluated": "false"},
    {"type": "image"},
    {"reason": "a rule"},
    {"reason_contains": "rule"},
    {"has_reason": "true"},
    {"has_reason": "false"},
    {"flagged": "true"},
    {"flagged": "false"},
]


@pytest.fixture(scope="module")
def busy(server: TestServer) -> Iterator[Databases]:
    """Jobs of April with no, one or several logs, some of them late, with nulls; most of them counted ahead."""
    name = f"fencepost_test_disagreements_{uuid4().hex[:8]}"
    url = server.create_migrated(name)
    databases = open_databases(Settings(database_url=SecretStr(url)))
    with psycopg.connect(url) as connection:
        _fill(connection, 300)
        connection.commit()
        keep_facts(databases.ours)
        _fill(connection, 100)
    yield databases
    databases.close()
    server.drop(name)


def _fill(connection: psycopg.Connection, number: int) -> None:
    rng = random.Random(number)
    for _ in range(number):
        created_at = datetime(2026, 3, 31, tzinfo=UTC) + timedelta(minutes=rng.randrange(32 * 24 * 60))
        job = insert_job(
            connection,
            client_id=rng.choice(["acme", "globex"]),
            type=rng.choice(["prompt", "image"]),
            is_prohibited=rng.choice([True, False, None]),
            reason=rng.choice([None, None, "", "a rule", "another"]),
            created_at=created_at,
        )
        for _ in range(rng.choice([0, 1, 1, 2, 3])):
            cells = {category.column: rng.choice([True, False, False, None]) for category in Category}
            insert_log(connection, job, created_at=created_at + timedelta(minutes=rng.randrange(9000)), **cells)


def combine(databases: Databases, job_filter: JobFilter, *, by_facts: bool = True) -> list[Combination]:
    """Count the jobs of a filter as the page does."""
    access = replace(make_access(databases, Wall(None)), has_facts=by_facts)
    with databases.source.transaction() as connection:
        days = combine_by_day(connection, job_filter, access, ZoneInfo("Asia/Kathmandu"))
    return list(chain.from_iterable(days.values()))


def suspect(databases: Databases, job_filter: JobFilter, *, by_facts: bool = True) -> list[Suspects]:
    """Count disagreements as the page does."""
    explained, access = explained_filter(job_filter), make_access(databases, Wall(None))
    access = replace(access, has_facts=by_facts, counts_reasons=by_facts)
    with databases.source.transaction() as connection:
        with_reason = 0 if explained is None else count_with_reason(connection, explained, access)
    return find_suspects(combine(databases, job_filter, by_facts=by_facts), job_filter, with_reason)


def count(databases: Databases, job_filter: JobFilter) -> int:
    """Count the jobs that a page of this filter lists."""
    with databases.source.transaction() as connection:
        return count_jobs(connection, job_filter, make_access(databases, Wall(None)), limit=10_000)


@pytest.mark.parametrize("by_facts", [True, False])
@pytest.mark.parametrize("given", FILTERS, ids=str)
def test_each_number_is_the_count_of_its_links_filter(busy: Databases, given: dict[str, str], by_facts: bool) -> None:
    """What the page says is what its link opens, also where the page's own filter narrows or contradicts it."""
    found = suspect(busy, april(**given), by_facts=by_facts)

    assert [one.disagreement for one in found] == list(Disagreement)
    for one in found:
        assert one.jobs == (0 if one.job_filter is None else count(busy, one.job_filter))
        assert one.jobs <= one.possible
    if not given:
        assert all(one.jobs for one in found)


@pytest.mark.parametrize("by_facts", [True, False])
def test_each_sum_is_the_count_of_its_filter(busy: Databases, by_facts: bool) -> None:
    """Decisions, categories, flags that come together and logs: each is what the export's filter of it means."""
    combined = combine(busy, april(), by_facts=by_facts)

    sums, together, covered = sum_up(combined), count_together(combined), cover(combined)
    assert sums.jobs == count(busy, april())
    assert sums.rejected == count(busy, april(decision="reject"))
    assert sums.passed == count(busy, april(decision="pass"))
    assert sums.undecided == count(busy, april(decision="undecided"))
    assert sums.evaluated == count(busy, april(evaluated="true"))
    assert sums.any_flagged == sum(together.values()) == count(busy, april(category=ALL))
    assert sums.flagged == {category: count(busy, april(category=category.value)) for category in Category}
    assert together[frozenset(Category)] == count(busy, april(**{category.column: "true" for category in Category}))
    assert covered == Coverage(
        count(busy, april(decision="reject,pass")), count(busy, april(decision="reject,pass", evaluated="true"))
    )


def test_each_day_has_the_jobs_of_its_range(busy: Databases) -> None:
    """What is added up of a day are the jobs that the filter of that day finds."""
    zone, access = ZoneInfo("Europe/Berlin"), make_access(busy, Wall("acme"))

    with busy.source.transaction() as connection:
        days = sum_days(connection, april(), access, zone)

    whole = april().range
    assert list(days) == list_days(whole, zone)
    assert sum(sums.jobs for sums in days.values()) == count(busy, april(client_id="acme"))
    for day, sums in days.items():
        if sums.jobs:
            start, end = (
                max(day_start(day, zone), whole.start),
                min(day_start(day + timedelta(days=1), zone), whole.end),
            )
            asked = replace(april(client_id="acme"), range=DateRange(start, end))
            assert sums.jobs == count(busy, asked)


def test_the_latest_log_says_whether_a_job_is_suspect(databases: Databases, connection: psycopg.Connection) -> None:
    """A late log that flags nothing makes a rejected job suspect and clears a passed one."""
    for is_prohibited in (True, False):
        job = insert_job(connection, is_prohibited=is_prohibited)
        insert_log(connection, job, category_nsfw=True)
        insert_log(connection, job, created_at=NOON + timedelta(days=2), category_nsfw=None)

    found = suspect(databases, april())

    assert found == [
        Suspects(
            Disagreement.REJECTED_WITHOUT_CAUSE, 1, 1, april(decision="reject", flagged="false", has_reason="false")
        ),
        Suspects(Disagreement.PASSED_ALTHOUGH_FLAGGED, 0, 1, april(decision="pass", category=ALL)),
        Suspects(Disagreement.DECIDED_WITHOUT_LOG, 0, 2, april(decision="reject,pass", evaluated="false")),
    ]


def test_links_are_the_parameters_of_the_export(databases: Databases) -> None:
    """The address of a number is written in the words that the API and the Jobs page know."""
    links = [one.job_filter.to_params() for one in find_suspects([], april(client_id="acme"), 0) if one.job_filter]

    bounds = {**APRIL, "client_id": "acme"}
    assert links == [
        bounds | {"decision": "reject", "flagged": "false", "has_reason": "false"},
        bounds | {"decision": "pass", "category": ALL},
        bounds | {"decision": "reject,pass", "evaluated": "false"},
    ]


@pytest.mark.parametrize(
    ("given", "disagreement"),
    [
        ({"decision": "pass"}, Disagreement.REJECTED_WITHOUT_CAUSE),
        ({"category": "nsfw"}, Disagreement.REJECTED_WITHOUT_CAUSE),
        ({"flagged": "true"}, Disagreement.REJECTED_WITHOUT_CAUSE),
        ({"reason": "a rule"}, Disagreement.REJECTED_WITHOUT_CAUSE),
        ({"has_reason": "true"}, Disagreement.REJECTED_WITHOUT_CAUSE),
        ({"flagged": "false"}, Disagreement.PASSED_ALTHOUGH_FLAGGED),
        ({"decision": "reject,undecided"}, Disagreement.PASSED_ALTHOUGH_FLAGGED),
        ({"category": "none"}, Disagreement.PASSED_ALTHOUGH_FLAGGED),
        ({"decision": "undecided"}, Disagreement.DECIDED_WITHOUT_LOG),
        ({"evaluated": "true"}, Disagreement.DECIDED_WITHOUT_LOG),
    ],
)
def test_what_contradicts_the_filter_has_no_link(given: dict[str, str], disagreement: Disagreement) -> None:
    """One parameter cannot ask for both, so there is nothing to open."""
    assert narrow(april(**given), disagreement) is None


def test_a_share_of_nothing_is_none() -> None:
    """There is no percentage of no jobs."""
    assert (share(0, 0), share(1, 4)) == (None, 0.25)


def days_of(*shares: float, decided: int = 400, first: date = date(2026, 4, 1)) -> dict[date, Coverage]:
    """Return days from the first of April (a Wednesday) on, on which such shares of the decided jobs have a log."""
    return {
        first + timedelta(days=number): Coverage(decided, round(decided * each)) for number, each in enumerate(shares)
    }


def test_a_day_on_which_logs_are_missing_is_found() -> None:
    """A share of logs well below that of an ordinary day is a drop; ordinary noise is none."""
    usual, drops = find_drops(days_of(0.96, 0.95, 0.97, 0.70, 0.96, 0.94))

    assert usual == 0.955
    assert drops == [date(2026, 4, 4)]


def test_days_before_tell_what_is_ordinary() -> None:
    """A range whose days all lack logs, such as a single one, is held against the days before it."""
    usual, drops = find_drops(days_of(0.5), days_of(*[0.96] * 14, first=date(2026, 3, 18)))

    assert (usual, drops) == (0.96, [date(2026, 4, 1)])
    assert find_drops(days_of(0.5))[1] == []


def test_weekends_are_held_against_weekends() -> None:
    """At weekends ever so many fewer jobs have a log: no drop, but a Saturday with fewer than Saturdays have is one."""
    week = (0.96, 0.96, 0.96, 0.80, 0.80, 0.96, 0.96)

    assert find_drops(days_of(*week * 3)) == (0.96, [])
    assert find_drops(days_of(*week * 2, *week[:3], 0.60)) == (0.96, [date(2026, 4, 18)])
    assert find_drops(days_of(*week * 2, 0.80)) == (0.96, [date(2026, 4, 15)])


def test_a_small_drop_of_very_many_jobs_is_found() -> None:
    """Where a day has many jobs, three of a hundred without a log are no chance."""
    assert find_drops(days_of(0.99, 0.99, 0.96, decided=50_000))[1] == [date(2026, 4, 3)]


def test_a_few_jobs_are_no_drop() -> None:
    """What chance does to few jobs is not told as a fault; without enough jobs nothing is told."""
    assert find_drops(days_of(0.96, 0.95, 0.90, 0.97, decided=60))[1] == []
    assert find_drops(days_of(1, 0, decided=10)) == (None, [])
    assert find_drops({}) == (None, [])


def test_the_ordinary_day_of_a_service_without_logs_is_no_drop() -> None:
    """Where no job ever has a log, there is nothing from which to drop."""
    assert find_drops(days_of(0, 0, 0)) == (0, [])
