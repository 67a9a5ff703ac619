"""The query over jobs, compared with plain Python over the same rows."""

import itertools
import random
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from psycopg import sql
from pydantic import SecretStr
from sqlalchemy import event

from core.counts.fact_upkeep import keep_facts
from core.db.databases import Databases
from core.db.startup import open_databases
from core.errors import DatabaseUnavailable
from core.jobs.access import NotedReasons, make_access
from core.jobs.filter import STATUSES, Category, JobFilter
from core.jobs.hidden_text import Texts, find_hidden, find_hidden_reason, find_withheld, reason_columns
from core.jobs.job import find_job, read_texts
from core.jobs.pages import PREVIEW_LENGTH, Page, page_jobs
from core.jobs.query import PageKey, count_jobs
from core.jobs.reasons import count_reasons
from core.jobs.wall import Wall
from core.settings import Settings
from tests.conftest import TestServer
from tests.core.check.test_run import BARE
from tests.support.commands import RunCore
from tests.support.documents import APRIL, april, export_document, read_records
from tests.support.examples import examples
from tests.support.rows import NOON, insert_job, insert_log
from tests.support.strategies import lists

CLIENTS = ("acme", "bluebird", "Acme", "acme%", "it's")
TYPES = ("prompt", "image", "a b", "É")
PROMPTS = (
    *("a fox in the snow", "A FOX", "École d'été", "ÉCOLE", "100% of 5_0", "1000 of 5x0", "back\\slash", "\\%"),
    *('say "hi", he said', "line\r\nline", "", "🦊", "日本の庭園", "it's", "{x} %(y)s :z $1 %s ?", None),
)
REASONS = ("a rule's name", "A RULE'S NAME", "an É, 100%_\\", "line\r\nline", "", "🦊" * 500, None, None)
KEYS = ("key-1", "key-2", "%", "É", None)
SOUGHT = (
    *("fox", "FOX", "é", "É", "école", "ÉTÉ", "%", "_", "\\", "5_0", "0%", "\\%", "back\\", "'", "it's", '"hi",'),
    *("\r\n", "🦊", "の庭", "%(y)s", ":z", "{x}", "%s ?", " ", "nowhere", "--", "%%"),
)
# Few enough that many jobs share one.
TIMES = [NOON + timedelta(minutes=minutes) for minutes in range(25)]


@dataclass(frozen=True, slots=True)
class Log:
    created_at: datetime
    flags: dict[Category, bool | None]


@dataclass(frozen=True, slots=True)
class Job:
    job_id: UUID
    client_id: str
    type: str
    status: str
    is_prohibited: bool | None
    created_at: datetime
    prompt: str | None
    reason: str | None
    api_key_id: str | None
    # In the order in which they are written.
    logs: list[Log] = field(default_factory=list)

    @property
    def latest(self) -> dict[Category, bool | None] | None:
        """The flags of the log that counts: of the latest ones the one that was written last."""
        return max(enumerate(self.logs), key=lambda log: (log[1].created_at, log[0]))[1].flags if self.logs else None


def matches(job: Job, params: dict[str, str], wall: Wall) -> bool:
    """Decide in plain Python whether the parameters mean a job and the wall shows it."""
    start, end = (datetime.fromisoformat(params[name]) for name in ("from", "to"))
    if not start <= job.created_at < end or not wall.allows(job.client_id):
        return False
    if params.keys() & {"q", "reason", "reason_contains"} and is_withheld(job, wall):
        return False
    return all(holds(job, name, value) for name, value in params.items() if name not in ("from", "to"))


def is_withheld(job: Job, wall: Wall) -> bool:
    """Decide in plain Python whether a job's texts are withheld behind a wall."""
    flags = job.latest or {}
    return any(flags.get(category) for category in wall.withheld) or job.reason in wall.withheld_reasons


def holds(job: Job, name: str, value: str) -> bool:
    """Decide for one parameter."""
    shown = {True: "true", False: "false", None: "empty"}
    latest = job.latest
    match name:
        case "type" | "status":
            return str(getattr(job, name)) in value.split(",")
        case "decision":
            return {True: "reject", False: "pass", None: "undecided"}[job.is_prohibited] in value.split(",")
        case "category" if value == "none":
            return latest is not None and True not in latest.values()
        case "category":
            return latest is not None and any(latest[Category(item)] for item in value.split(","))
        case "evaluated":
            return (latest is not None) == (value == "true")
        case "flagged":
            return (latest is not None and True in latest.values()) == (value == "true")
        case "has_reason":
            return bool(job.reason) == (value == "true")
        case "q":
            return job.prompt is not None and value.lower() in job.prompt.lower()
        case "reason":
            return job.reason == value
        case "reason_contains":
            return job.reason is not None and value.lower() in job.reason.lower()
        case "job_id":
            return str(job.job_id).startswith(tuple(value.lower().split(",")))
        case "api_key_id":
            return job.api_key_id in value.split(",")
        case "client_id":
            return job.client_id == value
        case "spreadsheet_safe":
            return True
        case _:
            return shown[latest[Category(name.removeprefix("category_"))] if latest else None] == value


def draw_jobs(number: int) -> list[Job]:
    """Draw jobs of every kind from a fixed seed: undecided ones, without logs, with several, with ties."""
    rng = random.Random("jobs")
    flag = (True, False, False, None)
    return [
        Job(
            # Few first digits, so that prefixes find several.
            job_id=UUID(int=rng.getrandbits(128) % (1 << 123) | rng.randrange(2) << 127),
            client_id=rng.choice(CLIENTS),
            type=rng.choice(TYPES),
            status=rng.choice(STATUSES),
            is_prohibited=rng.choice((True, False, None)),
            created_at=rng.choice(TIMES),
            prompt=rng.choice(PROMPTS),
            reason=rng.choice(REASONS),
            api_key_id=rng.choice(KEYS),
            logs=[
                Log(NOON + timedelta(seconds=rng.randrange(2)), {category: rng.choice(flag) for category in Category})
                for _ in range(rng.choice((0, 1, 1, 2, 3)))
            ],
        )
        for _ in range(number)
    ]


def insert_jobs(connection: psycopg.Connection, jobs: list[Job]) -> None:
    for job in jobs:
        values = {name: getattr(job, name) for name in Job.__dataclass_fields__ if name != "logs"}
        insert_job(connection, **values)
        for log in job.logs:
            flags = {category.column: flag for category, flag in log.flags.items()}
            insert_log(connection, job.job_id, created_at=log.created_at, **flags)


JOBS = draw_jobs(300)


@contextmanager
def stock(server: TestServer) -> Iterator[tuple[Databases, psycopg.Connection]]:
    """Make a database for tests that only read, and a connection that fills it."""
    name = f"fencepost_test_{uuid4().hex[:12]}"
    url = server.create_migrated(name)
    opened = open_databases(Settings(database_url=SecretStr(url)))
    with psycopg.connect(url) as connection:
        yield opened, connection
    opened.close()
    server.drop(name)


@pytest.fixture(scope="module")
def stocked(server: TestServer) -> Iterator[Databases]:
    """A database that holds `JOBS`."""
    with stock(server) as (opened, connection):
        insert_jobs(connection, JOBS)
        connection.commit()
        yield opened


def read_page(
    databases: Databases,
    job_filter: JobFilter,
    wall: Wall | None = None,
    *,
    after: PageKey | None = None,
    limit: int = 10_000,
    texts: Texts = Texts.NONE,
) -> Page:
    source = databases.source
    with source.transaction() as connection:
        return page_jobs(
            connection, job_filter, make_access(databases, wall or Wall(None)), after=after, limit=limit, texts=texts
        )


def count(databases: Databases, job_filter: JobFilter, wall: Wall | None = None, limit: int | None = None) -> int:
    source = databases.source
    with source.transaction() as connection:
        return count_jobs(connection, job_filter, make_access(databases, wall or Wall(None)), limit=limit)


def check_against_oracle(databases: Databases, params: dict[str, str], wall: Wall) -> None:
    """Compare the page, the count and the export with what plain Python finds."""
    job_filter = JobFilter.from_params(params.items())
    expected = [job for job in JOBS if matches(job, params, wall)]
    expected.sort(key=lambda job: (job.created_at, job.job_id))

    page = read_page(databases, job_filter, wall, texts=Texts.ALL)

    assert [row.job_id for row in reversed(page.rows)] == [job.job_id for job in expected]
    told = [None if is_withheld(job, wall) else job.prompt for job in expected]
    assert [row.prompt for row in reversed(page.rows)] == [text and text[:PREVIEW_LENGTH] for text in told]
    if not wall.withheld:
        exported = read_records(export_document(databases, job_filter, wall))
        assert [record[0] for record in exported] == [str(job.job_id) for job in expected]
    assert count(databases, job_filter, wall) == len(expected)


# As many as there may be, whole ids and beginnings mixed.
SOME_IDS = ",".join(str(job.job_id)[: 36 if number % 2 else 7] for number, job in enumerate(JOBS[:100]))

# Values of each parameter that find some of `JOBS`, and some that find none.
SINGLE = {
    "type": ["prompt", "image,a b", "É", "é", "unknown"],
    "status": [*STATUSES, "queued,failed", ",".join(STATUSES)],
    "decision": ["reject", "pass", "undecided", "reject,undecided", "reject,pass,undecided"],
    "category": ["nsfw", "underage,ai_adult_general", "ai_adult_general,underage,nsfw", "none"],
    **{category.column: ["true", "false", "empty"] for category in Category},
    "evaluated": ["true", "false"],
    "flagged": ["true", "false"],
    "has_reason": ["true", "false"],
    "q": list(SOUGHT),
    "job_id": ["0", "8", "f", str(JOBS[0].job_id)[:2].upper(), str(JOBS[0].job_id)[:9], str(JOBS[0].job_id), SOME_IDS],
    "reason": [*filter(None, REASONS), "nowhere"],
    "reason_contains": ["RULE", "é", "%", "_", "\\", "'", "🦊", "\r\n", "nowhere"],
    "api_key_id": ["key-1", "É,key-2", "%", "é", "nobody"],
    "client_id": [*CLIENTS, "ACME", "acm_", "nobody"],
    "spreadsheet_safe": ["true"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in SINGLE.items() for value in values])
def test_each_filter_alone_finds_what_plain_python_finds(stocked: Databases, name: str, value: str) -> None:
    """A parameter means exactly the jobs that its description names; so says the page, the count and the export."""
    check_against_oracle(stocked, APRIL | {name: value}, Wall(None))


def test_the_drawn_jobs_are_of_every_kind() -> None:
    """The oracle is worth its name only where every kind of job occurs, and every search but one finds something."""
    ties = [job for job in JOBS if len(job.logs) > len({log.created_at for log in job.logs})]
    flags = {flag for job in JOBS if job.latest for flag in job.latest.values()}
    found = {sought for sought in SOUGHT if any(matches(job, APRIL | {"q": sought}, Wall(None)) for job in JOBS)}

    assert ties
    assert flags == {True, False, None}
    assert {len(job.logs) for job in JOBS} == {0, 1, 2, 3}
    assert len({job.created_at for job in JOBS}) < len(JOBS) / 10
    assert set(SOUGHT) - found == {"nowhere", "--", "%%"}


@st.composite
def some_params(draw: st.DrawFn) -> dict[str, str]:
    """Draw parameters that have a chance to find some of `JOBS`."""
    first, last = sorted((draw(st.sampled_from([*TIMES, NOON - timedelta(days=1)])), draw(st.sampled_from(TIMES))))
    values = {
        "type": lists(*TYPES),
        "status": lists(*STATUSES),
        "decision": lists("reject", "pass", "undecided"),
        "category": lists(*Category) | st.just("none"),
        **{category.column: st.sampled_from(["true", "false", "empty"]) for category in Category},
        **{name: st.sampled_from(["true", "false"]) for name in ("evaluated", "flagged", "has_reason")},
        "q": st.sampled_from(SOUGHT),
        "job_id": st.tuples(st.sampled_from(JOBS), st.integers(1, 36)).map(lambda d: str(d[0].job_id)[: d[1]]),
        "reason": st.sampled_from([reason for reason in REASONS if reason]),
        "reason_contains": st.sampled_from(["rule", "É", "l", "🦊"]),
        "api_key_id": lists(*filter(None, KEYS)),
        "client_id": st.sampled_from(CLIENTS),
    }
    names = draw(st.lists(st.sampled_from(sorted(values)), max_size=4, unique=True))
    bounds = {"from": f"{first:%Y-%m-%dT%H:%M:%SZ}", "to": f"{last:%Y-%m-%dT%H:%M:%SZ}"}
    return bounds | {name: draw(values[name]) for name in names}


@st.composite
def some_walls(draw: st.DrawFn) -> Wall:
    """Draw walls of all, one, several and no clients, that withhold texts or do not."""
    clients = draw(st.just([None]) | st.lists(st.sampled_from([*CLIENTS, "nobody"]), max_size=3))
    withheld = draw(st.just(()) | st.lists(st.sampled_from(Category), min_size=1, unique=True))
    reasons = draw(st.lists(st.sampled_from([reason for reason in REASONS if reason]), max_size=2)) if withheld else ()
    return Wall(*clients, withheld=withheld, withheld_reasons=reasons)


UNDERAGE = Wall("acme", "bluebird", withheld={Category.UNDERAGE}, withheld_reasons=["a rule's name"])


@given(params=some_params(), wall=some_walls())
@example(params=APRIL, wall=Wall("acme"))
@example(params=APRIL | {"client_id": "bluebird"}, wall=Wall("acme"))
@example(params=APRIL | {"client_id": "bluebird"}, wall=Wall("acme", "bluebird"))
@example(params=APRIL, wall=Wall())
@example(params=APRIL | {"q": "a"}, wall=UNDERAGE)
@example(params=APRIL | {"q": "a", "category": "underage"}, wall=UNDERAGE)
@examples(30)
def test_filters_combined_find_what_plain_python_finds(stocked: Databases, params: dict[str, str], wall: Wall) -> None:
    """All parameters and the wall combine with AND; no search finds a job by a text that is withheld."""
    check_against_oracle(stocked, params, wall)


@given(
    params=some_params(), clients=st.lists(st.sampled_from([*CLIENTS, "nobody", "", "acme' OR true --"]), max_size=2)
)
@examples(20)
def test_no_filter_sees_behind_the_wall(stocked: Databases, params: dict[str, str], clients: list[str]) -> None:
    """A wall of some clients shows no job of another, whatever the filter says, even where it names another client."""
    job_filter = JobFilter.from_params((APRIL | params).items())

    page = read_page(stocked, job_filter, Wall(*clients))

    assert {row.client_id for row in page.rows} <= set(clients)


@pytest.mark.parametrize("limit", [1, 2, 7, 50, 299, 300, 301])
def test_paging_shows_each_job_once(stocked: Databases, limit: int) -> None:
    """Forward by keyset each job comes once, newest first, at any depth and where many jobs share a time."""
    expected = [job.job_id for job in sorted(JOBS, key=lambda job: (job.created_at, job.job_id), reverse=True)]

    pages = walk_forward(stocked, april(), limit)

    assert [row.job_id for page in pages for row in page.rows] == expected
    assert [len(page.rows) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    assert [page.has_previous for page in pages] == [False] + [True] * (len(pages) - 1)


# One by one through the jobs of one type, because each page takes its time.
@pytest.mark.parametrize(("limit", "types"), [(1, TYPES[:1]), (7, TYPES), (50, TYPES), (150, TYPES)])
def test_paging_backward_shows_the_same_pages(stocked: Databases, limit: int, types: tuple[str, ...]) -> None:
    """From the last page back to the first, every page is the one that was shown on the way forward."""
    job_filter = april(decision="reject,pass", type=",".join(types))
    forward = walk_forward(stocked, job_filter, limit)
    backward = [forward[-1]]

    while backward[-1].has_previous:
        backward.append(read_page(stocked, job_filter, after=backward[-1].previous, limit=limit))

    assert [page.rows for page in reversed(backward)] == [page.rows for page in forward]


def walk_forward(databases: Databases, job_filter: JobFilter, limit: int) -> list[Page]:
    pages = [read_page(databases, job_filter, limit=limit)]
    while pages[-1].next is not None:
        pages.append(read_page(databases, job_filter, after=pages[-1].next, limit=limit))
    return pages


@given(place=st.sampled_from(JOBS), limit=st.integers(7, 60))
@examples(12)
def test_going_back_from_any_place_skips_no_job(stocked: Databases, place: Job, limit: int) -> None:
    """From a key that no page began with, the way back still shows every job before it."""
    key = PageKey(place.created_at, place.job_id)
    pages = [read_page(stocked, april(), after=key, limit=limit)]

    while pages[-1].has_previous:
        pages.append(read_page(stocked, april(), after=pages[-1].previous, limit=limit))

    shown = {row.job_id for page in pages[1:] for row in page.rows}
    assert shown >= {job.job_id for job in JOBS if (job.created_at, job.job_id) >= (key.created_at, key.job_id)}
    assert pages[-1].previous is None


def test_a_page_of_nothing_has_no_neighbours(stocked: Databases) -> None:
    """Where nothing matches there is an empty page, and nowhere to go."""
    assert read_page(stocked, april(type="unknown"), limit=10) == Page([], None, has_previous=False, previous=None)


def test_hidden_text_never_leaves_the_database(stocked: Databases) -> None:
    """With all texts hidden no prompt is selected, and no reason but names of rules; with all shown both are."""
    statements: list[str] = []
    event.listen(stocked.source.engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))

    hidden = read_page(stocked, april(), limit=5, after=PageKey(TIMES[9], UUID(int=0)))
    asked = [statement for statement in statements if "FROM jobs " in statement]
    shown = read_page(stocked, april(), limit=5, texts=Texts.ALL)

    columns = ["job_id", "client_id", "type", "status", "is_prohibited", "created_at", "completed_at"]
    columns += [*(category.column for category in Category), "evaluated"]
    columns += ["has_reason", "reason_is_rule", "reason_is_underage", "reason"]
    assert list(hidden.rows[0]._fields) == columns
    assert list(shown.rows[0]._fields) == [*columns, "prompt"]
    assert {row.reason for row in hidden.rows} == {None}
    assert len(asked) == 2
    assert not [statement for statement in asked if "prompt" in statement]


RULE, MARKED, QUOTING = "a rule", "a marked rule", "quotes a prompt"


@pytest.fixture(scope="module")
def every_kind(server: TestServer) -> Iterator[Databases]:
    """A job for each decision, without a log and with one of all its flags, and of each kind of reason."""
    with stock(server) as (opened, connection):
        for reason in (RULE, MARKED):
            for number in range(5):
                insert_job(connection, created_at=NOON - timedelta(days=60), prompt=f"prompt {number}", reason=reason)
        every_flags = list(itertools.product((True, False, None), repeat=len(Category)))
        for decision, flags, cause in itertools.product(
            (True, False, None), (None, *every_flags), (RULE, MARKED, QUOTING, None)
        ):
            job_id = insert_job(connection, is_prohibited=decision, prompt="a prompt", reason=cause)
            if flags is not None:
                columns = {category.column: flag for category, flag in zip(Category, flags, strict=True)}
                insert_log(connection, job_id, **columns)
        connection.commit()
        keep_facts(opened.ours)
        yield opened


@pytest.mark.parametrize("counts", [True, False], ids=["ours", "elsewhere"])
@pytest.mark.parametrize(
    "wall",
    [Wall(None), Wall(None, withheld=[Category.UNDERAGE], withheld_reasons=[MARKED])],
    ids=["all are told", "some are withheld"],
)
def test_texts_are_read_by_the_rule_that_pages_explain(every_kind: Databases, wall: Wall, counts: bool) -> None:
    """For each kind of job the database sends its texts exactly where nothing is said to be hidden.

    A reason beside five different prompts is a rule's name; where the database does not tell, one that is noted is.
    """
    noted = NotedReasons(underage=frozenset({MARKED}), rules=frozenset() if counts else frozenset({RULE, MARKED}))
    access = replace(make_access(every_kind, wall), counts_reasons=counts)
    columns = reason_columns(access, noted)
    with every_kind.source.transaction() as opened:
        pages = {
            texts: page_jobs(opened, april(), access, after=None, limit=1_000, texts=texts, noted=noted).rows
            for texts in Texts
        }
        ids = [row.job_id for row in pages[Texts.ALL]]
        found = [find_job(opened, job_id, wall, columns) for job_id in ids]
        read = [read_texts(opened, job_id, wall, longest=None) for job_id in ids]

    assert len(ids) == 3 * (1 + 27) * 4
    for texts, rows in pages.items():
        assert [row.job_id for row in rows] == ids
        for row, job, texts_read in zip(rows, found, read, strict=True):
            assert job is not None
            assert find_hidden(job, texts, wall) == find_hidden(row, texts, wall)
            assert find_hidden_reason(job, texts, wall) == find_hidden_reason(row, texts, wall)
            assert texts_read is not None
            assert (texts_read.prompt is None) == (find_withheld(row, wall) is not None)
            is_sent = "prompt" in row._fields and row.prompt == "a prompt"
            assert is_sent == (find_hidden(row, texts, wall) is None)
            if row.reason_is_rule or row.reason is not None:
                assert find_hidden_reason(row, texts, wall) is None
        # Which reasons are sent at all, and beside which no prompt flagged or marked as underage is.
        shown = {Texts.NONE: {RULE, MARKED, None}}.get(texts, {RULE, MARKED, QUOTING, None})
        assert {row.reason for row in rows} == shown
        if texts in (Texts.UNFLAGGED, Texts.NOT_UNDERAGE):
            assert {find_hidden(row, texts, wall) for row in rows if row.reason == MARKED} <= {
                "flagged underage",
                "reason marked underage",
                "flagged Underage, which you may not see",
                "reason marked underage, which you may not see",
            }


def test_a_page_shows_the_beginning_of_long_texts(databases: Databases, connection: psycopg.Connection) -> None:
    """A page reads no more than 300 characters of a prompt and of a reason."""
    insert_job(connection, prompt="🦊" * 301, reason="é" * 300)

    row = read_page(databases, april(), texts=Texts.ALL).rows[0]

    assert (row.prompt, row.reason) == ("🦊" * 300, "é" * 300)


def test_a_page_shows_the_log_that_counts(stocked: Databases) -> None:
    """A row has the flags of its latest log, and says whether there is one."""
    flags = {
        job.job_id: (tuple(job.latest.values()) if job.latest else (None, None, None), True if job.latest else None)
        for job in JOBS
    }

    page = read_page(stocked, april())

    assert {
        row.job_id: (tuple(row._mapping[category.column] for category in Category), row.evaluated) for row in page.rows
    } == flags


@pytest.mark.parametrize(
    ("params", "limit", "expected"),
    [({}, 0, 0), ({}, 299, 299), ({}, 300, 300), ({}, 301, 300), ({}, None, 300), ({"type": "unknown"}, 10, 0)],
)
def test_a_count_stops_at_its_limit(
    stocked: Databases, params: dict[str, str], limit: int | None, expected: int
) -> None:
    """A count with a limit goes no further than that."""
    assert count(stocked, april(**params), limit=limit) == expected


@pytest.mark.parametrize("sought", ["jobs", "JOBS", "ß", "Ǆ", "Ω", "я"])
def test_letters_of_other_alphabets_are_folded_too(
    databases: Databases, connection: psycopg.Connection, sought: str
) -> None:
    """A search disregards case in every alphabet, whatever locale the database was made with."""
    for text in (sought.lower(), sought.upper() if len(sought.upper()) == len(sought) else sought):
        insert_job(connection, prompt=f"<{text}>")

    assert count(databases, april(q=sought)) == 2


VIEWS = """
    ALTER TABLE jobs RENAME TO stored_jobs;
    ALTER TABLE moderation_logs RENAME TO stored_logs;
    CREATE VIEW jobs AS SELECT * FROM stored_jobs WHERE job_id < '7fffffff-ffff-ffff-ffff-ffffffffffff'
        UNION ALL SELECT * FROM stored_jobs WHERE job_id >= '7fffffff-ffff-ffff-ffff-ffffffffffff';
    CREATE VIEW moderation_logs AS SELECT * FROM stored_logs OFFSET 0;
"""
PARTITIONS = """
    DROP TABLE moderation_logs, jobs;
    CREATE TABLE jobs (job_id uuid, client_id text, type text, status text, is_prohibited boolean,
        created_at timestamptz, completed_at timestamptz, prompt text, reason text, api_key_id text)
        PARTITION BY RANGE (created_at);
    CREATE TABLE jobs_early PARTITION OF jobs FOR VALUES FROM (MINVALUE) TO ('2026-04-15 12:10:00Z');
    CREATE TABLE jobs_late PARTITION OF jobs FOR VALUES FROM ('2026-04-15 12:10:00Z') TO (MAXVALUE);
    CREATE TABLE moderation_logs (log_id bigint GENERATED ALWAYS AS IDENTITY, job_id uuid, created_at timestamptz,
        category_ai_adult_general boolean, category_underage boolean, category_nsfw boolean);
"""


@pytest.mark.parametrize(
    ("before", "after"), [("", VIEWS), (PARTITIONS, "")], ids=["views without keys", "partitions without keys"]
)
def test_the_tables_may_be_views_or_partitioned(
    databases: Databases, connection: psycopg.Connection, before: str, after: str
) -> None:
    """The source's tables may be views, may be partitioned, and may lack every key and index."""
    connection.execute(before.encode())
    insert_jobs(connection, JOBS)
    connection.execute(after.encode())
    databases.check()

    for params in ({}, {"category": "none"}, {"q": "É"}, {"decision": "reject", "evaluated": "false"}):
        check_against_oracle(databases, APRIL | params, Wall("acme"))
        check_against_oracle(databases, APRIL | params, Wall(None))


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE jobs DROP COLUMN api_key_id, DROP COLUMN api_key_name",
        "ALTER TABLE jobs DROP COLUMN api_key_id",
        "ALTER TABLE jobs DROP COLUMN api_key_name",
    ],
)
def test_a_source_need_not_tell_api_keys(databases: Databases, connection: psycopg.Connection, statement: str) -> None:
    """Where the columns of API keys are missing it is as if all were null: a filter by one is an empty result."""
    insert_job(connection, api_key_id="key-1")
    connection.execute(statement.encode())
    databases.check()

    found = [read_page(databases, april(**params)).rows for params in ({}, {"api_key_id": "key-1"})]

    assert [len(rows) for rows in found] == [1, 0]
    assert read_records(export_document(databases, april(api_key_id="key-1"))) == []


def test_a_source_may_keep_its_keys_as_numbers(databases: Databases, connection: psycopg.Connection) -> None:
    """The id of a key is read as text, whatever its type."""
    connection.execute("ALTER TABLE jobs ALTER api_key_id TYPE bigint USING NULL")
    insert_job(connection, api_key_id=42)

    assert [count(databases, april(api_key_id=sought)) for sought in ("42", "x,42", "4")] == [1, 1, 0]


def test_a_source_without_a_column_is_named(databases: Databases, connection: psycopg.Connection) -> None:
    """Where the source lacks a column, the error says so in one sentence, without SQL."""
    connection.execute("ALTER TABLE jobs DROP COLUMN reason")

    with pytest.raises(DatabaseUnavailable) as caught:
        export_document(databases, april())

    assert str(caught.value) == (
        "DATABASE_URL lacks a table or column that Fencepost needs: run `python -m core migrate`."
    )


@pytest.mark.parametrize("days", [-400, 400])
def test_a_place_outside_the_range_is_a_page_all_the_same(
    databases: Databases, connection: psycopg.Connection, days: int
) -> None:
    """An old bookmark of a relative range names a place that has left it: that is no error."""
    insert_job(connection)
    access = make_access(databases, Wall(None))
    outside = PageKey(NOON + timedelta(days=days), UUID(int=1))

    with databases.source.transaction() as asking:
        page = page_jobs(asking, april(), access, after=outside, limit=10, texts=Texts.NONE)

    assert len(page.rows) == (1 if days > 0 else 0)
    assert page.has_previous == (days < 0)


@pytest.fixture
def latin1_url(server: TestServer) -> Iterator[str]:
    """A source in LATIN1 with three jobs."""
    name = f"fencepost_test_{uuid4().hex[:12]}"
    create = "CREATE DATABASE {} TEMPLATE template0 ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C'"
    server.execute(sql.SQL(create).format(sql.Identifier(name)))
    with psycopg.connect(server.url_of(name)) as source:
        source.execute(BARE.format(""))
        for number, (client, kind, prompt) in enumerate(
            [("acme", "prompt", "école"), ("né", "image", "été"), ("?", "?", "? \u00bf")], start=1
        ):
            source.execute(
                "INSERT INTO jobs VALUES (%s, %s, %s, 'completed', true, %s, NULL, %s, %s)",
                [UUID(int=number), client, kind, NOON, prompt, prompt],
            )
    yield server.url_of(name)
    server.drop(name)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"q": "é"}, [1, 2]),
        ({"q": "日"}, []),
        ({"q": "t日"}, []),
        ({"reason_contains": "ł"}, []),
        ({"reason": "🦊"}, []),
        ({"type": "日"}, []),
        ({"type": "image,日"}, [2]),
        ({"client_id": "né"}, [2]),
        ({"client_id": "日"}, []),
    ],
)
def test_a_source_finds_no_job_by_letters_that_its_encoding_lacks(
    database_url: str, latin1_url: str, asked: dict[str, str], found: list[int], run_core: RunCore
) -> None:
    """Pages, counts and exports have nothing of a text that no job can hold; what it can hold is found beside it."""
    job_filter = april(**asked)
    settings = Settings(database_url=SecretStr(database_url), source_database_url=SecretStr(latin1_url))
    with closing(open_databases(settings)) as databases:
        access = make_access(databases, Wall(None))
        with databases.source.transaction() as connection:
            page = page_jobs(connection, job_filter, access, after=None, limit=10, texts=Texts.ALL)
            count = count_jobs(connection, job_filter, access)
            reasons = count_reasons(connection, job_filter, access)
        document = export_document(databases, job_filter)
    options = [part for name, value in (APRIL | asked).items() for part in (f"--{name.replace('_', '-')}", value)]
    written = run_core("export", *options, "-o", "-", SOURCE_DATABASE_URL=latin1_url)

    expected = [str(UUID(int=number)) for number in found]
    assert sorted(str(row.job_id) for row in page.rows) == expected
    assert (count, reasons.jobs) == (len(found), len(found))
    assert sorted(record[0] for record in read_records(document)) == expected
    assert (written.returncode, written.stdout) == (0, document)
