"""Jobs that are ours and lie over the nodes of Citus, as `core migrate --distributed` makes them.

With TEST_SOURCE_URL, the URL of a superuser at the coordinator of a real Citus, all of this runs there; without it on
one PostgreSQL that has the catalogue of Citus.
"""

import io
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import select

from core.actor import COMMAND_LINE, DEMO_PERSON
from core.check.finding import Level
from core.check.restored import check_restored
from core.check.run import run_checks
from core.counts.fact_upkeep import keep_facts
from core.db.databases import Databases
from core.db.migrations.distributed import distribute
from core.db.startup import migrate, open_databases
from core.errors import NotPossible
from core.facts.tables import job_reasons
from core.intake.demo import seed_jobs
from core.intake.importer import Imported, import_jobs, vacuum_jobs
from core.intake.job_file import JobFile
from core.jobs.access import NotedReasons, make_access
from core.jobs.filter import JobFilter
from core.jobs.hidden_text import Texts
from core.jobs.pages import page_jobs
from core.jobs.query import count_jobs
from core.jobs.wall import Wall
from core.keeping.erasure import erase
from core.keeping.holds import Held, end_hold, place_hold
from core.keeping.survey import Target
from core.quality.samples import Plan, draw_sample
from core.review.verdicts import Review, Verdict, record_review
from core.settings import Settings
from tests.conftest import TestServer
from tests.core.review.test_verdicts import job
from tests.support.citus import REAL, distributable
from tests.support.documents import HEADER, april, export_document
from tests.support.sources import FILTERS, read_jobs, read_pages

UNTIL = datetime(2026, 5, 1, tzinfo=UTC)
SPRING = {"from": "2026-01-01T00:00:00Z", "to": "2026-06-01T00:00:00Z"}

RunCore = Callable[..., subprocess.CompletedProcess[bytes]]


def spring(**params: str) -> JobFilter:
    return JobFilter.from_params((SPRING | params).items())


def settings_of(url: str) -> Settings:
    return Settings(database_url=SecretStr(url))


def take(databases: Databases, document: bytes, client_id: str = "acme") -> Imported:
    """Import a document."""
    file = JobFile(file=io.BytesIO(document), client_id=client_id, name="a.csv", spreadsheet_safe=False)
    imported = import_jobs(databases, file, COMMAND_LINE)
    vacuum_jobs(databases.ours)
    return imported


def problems(databases: Databases, settings: Settings) -> list[str]:
    """Say what `core check` and `core check --restored` find wrong."""
    findings = [*run_checks(databases, settings), *check_restored(databases)]
    return [finding.text for finding in findings if finding.level is Level.PROBLEM]


@pytest.fixture
def empty_url(server: TestServer) -> Iterator[str]:
    """The URL of a place for tables, on what is, or looks like, the coordinator of Citus."""
    with distributable(server) as url:
        yield url


@pytest.fixture
def url(empty_url: str) -> str:
    """The URL of distributed tables without jobs."""
    migrate(settings_of(empty_url), distribute=True)
    return empty_url


@pytest.fixture
def distributed(url: str) -> Iterator[Databases]:
    databases = open_databases(settings_of(url))
    databases.check()
    yield databases
    databases.close()


@pytest.mark.parametrize("way", ["coordinator"] if REAL is None else ["coordinator", "nodes"])
def test_everything_is_as_on_one_server(
    databases: Databases, distributed: Databases, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Demo jobs are made there, too; exports, pages, counts and single jobs are those of one server."""
    monkeypatch.setattr(distributed.source, "may_ask_nodes", lambda: way == "nodes")
    for each in (databases, distributed):
        seed_jobs(each, 600, seed=4, until=UNTIL)
        # A second time: the first ones are replaced.
        seed_jobs(each, 600, seed=5, until=UNTIL)

    with databases.source.transaction() as connection:
        rules = connection.execute(select(job_reasons.c.reason).where(job_reasons.c.reason.is_not(None))).scalars()
        # What is counted beside the jobs elsewhere, a page learns of these.
        noted = NotedReasons(rules=frozenset(rules))
    for params in FILTERS:
        document = export_document(databases, spring(**params))
        assert export_document(distributed, spring(**params), workers=2) == document
        assert read_pages(distributed, spring(**params), noted) == read_pages(databases, spring(**params), noted)
    assert read_jobs(distributed, spring()) == read_jobs(databases, spring())
    # Who may see one client asks for another one.
    others = make_access(distributed, Wall("demo-atelier"))
    with distributed.source.transaction() as connection:
        asked = spring(client_id="demo-studio-b")
        assert page_jobs(connection, asked, others, after=None, limit=20, texts=Texts.ALL).rows == []
        assert count_jobs(connection, asked, others) == 0
        # A source need not tell which API key a job came by.
        without_keys = replace(make_access(distributed, Wall(None)), tells_api_keys=False)
        asked = spring(api_key_id="key-1")
        assert page_jobs(connection, asked, without_keys, after=None, limit=20, texts=Texts.ALL).rows == []
        assert count_jobs(connection, asked, without_keys) == 0


def test_an_import_is_one_there_too(databases: Databases, distributed: Databases) -> None:
    """Jobs come in, again without a change, and changed; the demo jobs go; what comes out is what went in."""
    seed_jobs(databases, 400, seed=5, until=UNTIL)
    document = export_document(databases, spring())
    seed_jobs(distributed, 50, seed=6, until=UNTIL)
    job_id = uuid4()
    queued = f"{job_id},prompt,queued,,2026-04-15T12:00:00Z,,a,,,,\n".encode()
    finished = f"{job_id},prompt,completed,true,2026-04-15T12:00:00Z,2026-04-15T12:01:00Z,a,b,true,,\n".encode()

    first = take(distributed, document)
    again = take(distributed, document)
    out = export_document(distributed, spring())
    added = take(distributed, HEADER + queued)
    changed = take(distributed, HEADER + finished)
    with pytest.raises(NotPossible, match="1 job that another client has already"):
        take(distributed, HEADER + finished, "others")

    assert (first.inserted, first.unchanged, first.demo_removed) == (400, 0, True)
    assert first.logs > 0
    assert (again.inserted, again.updated, again.unchanged, again.logs) == (0, 0, 400, 0)
    assert out == document
    assert (added.inserted, added.updated, added.logs) == (1, 0, 0)
    assert (changed.inserted, changed.updated, changed.logs) == (0, 1, 1)
    whole = finished.replace(b"00Z", b"00.000000Z")
    assert export_document(distributed, april(job_id=str(job_id))) == HEADER + whole


@pytest.mark.parametrize("by_client", [False, True], ids=["a job", "a client"])
def test_jobs_are_held_and_erased(url: str, distributed: Databases, by_client: bool) -> None:
    """Under a hold a job stays; then it goes with its logs and notes, and no import brings it back."""
    gone, stays = uuid4(), uuid4()
    records = f"{gone},prompt,completed,true,2026-04-15T12:00:00Z,,a,a rule,true,,\n".encode()
    take(distributed, HEADER + records)
    take(distributed, HEADER + records.replace(str(gone).encode(), str(stays).encode()), "other")
    record_review(distributed, DEMO_PERSON, [job(distributed, gone)], Review(Verdict.ESCALATE, note="a word"))
    target = Target(client_id="acme") if by_client else Target(job_id=gone)

    hold = place_hold(distributed, COMMAND_LINE, Held(client_id="acme"), "a letter")
    with pytest.raises(NotPossible, match=f"The hold {hold} keeps this"):
        erase(distributed, COMMAND_LINE, target)
    end_hold(distributed, COMMAND_LINE, hold)
    found = erase(distributed, COMMAND_LINE, target)
    back = take(distributed, HEADER + records)

    assert (found.jobs, found.logs, found.notes) == (1, 1, 1)
    assert (back.inserted, back.erased) == (0, 1)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT job_id FROM jobs").fetchall() == [(stays,)]
        assert connection.execute("SELECT job_id FROM moderation_logs").fetchall() == [(stays,)]
        assert connection.execute("SELECT note FROM reviews").fetchall() == [("",)]


def test_no_facts_are_kept(url: str, distributed: Databases) -> None:
    """No facts are there; samples are drawn from the jobs, and `core check` finds nothing wrong."""
    seed_jobs(distributed, 300, seed=5, until=UNTIL)
    keep_facts(distributed.ours)

    drawn = draw_sample(distributed, COMMAND_LINE, spring(), Plan("a", 20))

    assert isinstance(drawn, UUID)
    assert not distributed.source.has_facts()
    assert problems(distributed, settings_of(url)) == []
    with psycopg.connect(url) as connection:
        counted = connection.execute("SELECT (SELECT count(*) FROM sample_jobs), (SELECT count(*) FROM job_facts)")
        assert counted.fetchone() == (20, 0)


def test_a_database_of_an_earlier_version_is_upgraded(url: str, distributed: Databases) -> None:
    """`core migrate` without an option upgrades distributed tables with jobs in them, and leaves them distributed."""
    seed_jobs(distributed, 50, seed=5, until=UNTIL)
    document = export_document(distributed, spring())
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DELETE FROM alembic_version WHERE version_num ^@ 'jobs_'")
        connection.execute("INSERT INTO alembic_version VALUES ('jobs_0007')")

    migrate(settings_of(url))
    migrate(settings_of(url), distribute=True)

    assert problems(distributed, settings_of(url)) == []
    assert export_document(distributed, spring()) == document


def test_it_is_for_new_databases(run_core: RunCore, empty_url: str, database_url: str) -> None:
    """Without Citus, with jobs, in months, and where the jobs are somebody else's, one sentence says why not."""
    bare = run_core("migrate", "--distributed")
    both = run_core("migrate", "--distributed", "--partitioned")
    elsewhere = run_core("migrate", "--distributed", SOURCE_DATABASE_URL=database_url)
    migrate(settings_of(empty_url))
    databases = open_databases(settings_of(empty_url))
    seed_jobs(databases, 10, seed=5, until=UNTIL)
    databases.close()
    with_jobs = run_core("migrate", "--distributed", DATABASE_URL=empty_url)
    plain = open_databases(settings_of(database_url))
    with plain.ours.transaction() as connection, pytest.raises(NotPossible, match=r"^The embedded database names no"):
        distribute(connection, "the embedded database")
    plain.close()

    assert [done.returncode for done in (bare, both, elsewhere, with_jobs)] == [1, 1, 1, 1]
    assert [done.stderr.decode() for done in (bare, both, elsewhere, with_jobs)] == [
        "Error: DATABASE_URL names no coordinator of Citus with nodes: let its superuser run CREATE EXTENSION citus "
        "and citus_add_node() in this database, or leave --distributed out.\n",
        "Error: Jobs are either in months or over the nodes of Citus: leave --partitioned or --distributed out.\n",
        "Error: The jobs live in SOURCE_DATABASE_URL, which Fencepost never writes: leave --distributed out.\n",
        "Error: There are jobs, or months for them, in this database already: --distributed is for a new one. "
        "Make it, and import there what `python -m core export` gives of this one.\n",
    ]
