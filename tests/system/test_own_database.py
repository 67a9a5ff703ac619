"""The recipe of docs/own-database.md: its SQL is run as it stands there, on a service with names of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from core.check.finding import Finding, Level
from core.check.run import run_checks
from core.db.databases import Databases
from core.db.embedded import EmbeddedServer
from core.db.startup import migrate, open_databases
from core.jobs.access import make_access
from core.jobs.filter import JobFilter
from core.jobs.hidden_text import Texts
from core.jobs.job import find_job, list_logs
from core.jobs.pages import page_jobs
from core.jobs.query import count_jobs
from core.jobs.wall import Wall, list_clients
from core.settings import Settings
from tests.conftest import ROOT
from tests.support.days import sum_days
from tests.support.documents import APRIL, HEADER, april, export_document
from tests.support.standby import running_server, url_of

EVERYBODY = Wall(None)

TASKS = """
    INSERT INTO moderation.tasks (tenant, kind, state, verdict, submitted, finished, input, explanation) VALUES
        (7, 'image', 'done', 'block', '2026-04-02 10:00:00', '2026-04-02 10:00:01.5', 'a fox, in winter', 'rule 3'),
        (7, 'image', 'new', NULL, '2026-04-03 00:00:00', NULL, NULL, NULL),
        (8, 'prompt', 'done', 'allow', '2026-04-01 00:00:00.000001', '2026-04-01 00:00:02', 'say "hello"', ''),
        (8, 'prompt', 'broken', NULL, '2026-04-03 00:00:00', NULL, 'É', NULL),
        (8, 'prompt', 'done', 'allow', '2026-03-31 23:59:59', NULL, 'too early', NULL)
"""
RESULTS = """
    INSERT INTO moderation.results (task, made, labels) VALUES
        (1, '2026-04-02 10:00:01', '{"adult": true, "minor": true, "nsfw": true}'),
        (1, '2026-04-02 10:00:02', '{"adult": false, "nsfw": true}'),
        (3, '2026-04-01 00:00:01', '{"adult": false, "minor": false, "nsfw": false}')
"""

DOCUMENT = HEADER + (
    '00000000-0000-0000-0000-000000000003,prompt,completed,false,2026-04-01T00:00:00.000001Z,'
    '2026-04-01T00:00:02.000000Z,"say ""hello""","",false,false,false\n'
    "00000000-0000-0000-0000-000000000001,image,completed,true,2026-04-02T10:00:00.000000Z,"
    '2026-04-02T10:00:01.500000Z,"a fox, in winter",rule 3,false,,true\n'
    "00000000-0000-0000-0000-000000000002,image,queued,,2026-04-03T00:00:00.000000Z,,,,,,\n"
    "00000000-0000-0000-0000-000000000004,prompt,failed,,2026-04-03T00:00:00.000000Z,,É,,,,\n"
).encode()  # fmt: skip


def recipe() -> list[list[str]]:
    """Read the SQL of the document: their tables, the views, the role, the indexes."""
    blocks = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "own-database.md").read_text(), re.DOTALL)
    parts = [[part.strip() for part in re.sub(r"--.*", "", block).split(";") if part.strip()] for block in blocks]
    assert [len(part) for part in parts] == [3, 3, 5, 5]
    return parts


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A server with Fencepost's own database and a service's, which follows the recipe but for its indexes."""
    with running_server(tmp_path_factory.mktemp("own") / "server") as running:
        # Ours knows nothing of jobs.
        nowhere = SecretStr(url_of("nowhere", "nobody", running))
        migrate(Settings(database_url=SecretStr(running.url()), source_database_url=nowhere))
        with psycopg.connect(url_of("postgres", "postgres", running), autocommit=True) as connection:
            connection.execute("CREATE DATABASE service")
        with psycopg.connect(url_of("service", "postgres", running), autocommit=True) as connection:
            for statement in [*chain.from_iterable(recipe()[:3]), TASKS, RESULTS]:
                connection.execute(statement.encode())
        yield running


@pytest.fixture
def owner(server: EmbeddedServer) -> Iterator[psycopg.Connection]:
    """A connection of the owner of the service's tables."""
    with psycopg.connect(url_of("service", "postgres", server), autocommit=True) as connection:
        yield connection


@pytest.fixture
def settings(server: EmbeddedServer) -> Settings:
    source = url_of("service", "fencepost_reader", server)
    return Settings(database_url=SecretStr(server.url()), source_database_url=SecretStr(source))


@pytest.fixture
def databases(settings: Settings) -> Iterator[Databases]:
    opened = open_databases(settings)
    yield opened
    opened.close()


def test_the_export_of_the_views_is_right(server: EmbeddedServer, settings: Settings) -> None:
    """`core export` gives the bytes that the service's rows mean, and `core check` finds no problem."""
    assert settings.source_database_url is not None
    environment = {
        "DATABASE_URL": server.url(),
        "SOURCE_DATABASE_URL": settings.source_database_url.get_secret_value(),
    }

    exported, checked = (
        subprocess.run(
            [sys.executable, "-m", "core", *command],
            cwd=ROOT,
            env=os.environ | environment,
            capture_output=True,
            check=False,
            timeout=120,
        )
        for command in (("export", "--from", APRIL["from"], "--to", APRIL["to"]), ("check",))
    )

    assert exported.returncode == 0, exported.stderr
    assert exported.stdout == DOCUMENT
    assert (checked.returncode, checked.stderr) == (0, b"")
    assert "PROBLEM" not in checked.stdout.decode()


@pytest.mark.parametrize(
    ("params", "tasks"),
    [
        ({}, [4, 2, 1, 3]),
        ({"client_id": "7"}, [2, 1]),
        ({"status": "completed"}, [1, 3]),
        ({"status": "queued,failed", "type": "prompt"}, [4]),
        ({"decision": "reject"}, [1]),
        ({"decision": "undecided"}, [4, 2]),
        ({"category": "nsfw"}, [1]),
        ({"category": "none"}, [3]),
        ({"category_underage": "empty", "evaluated": "true"}, [1]),
        ({"q": "FOX"}, [1]),
        ({"job_id": "00000000-0000-0000-0000-000000000003"}, [3]),
    ],
    ids=str,
)
def test_pages_read_the_views(databases: Databases, params: dict[str, str], tasks: list[int]) -> None:
    """Every filter of a page finds what it should through the views."""
    job_filter, access = april(**params), make_access(databases, EVERYBODY)

    with databases.source.transaction() as connection:
        page = page_jobs(connection, job_filter, access, after=None, limit=50, texts=Texts.ALL)
        count = count_jobs(connection, job_filter, access)

    assert [row.job_id.int for row in page.rows] == tasks
    assert count == len(tasks)


def test_a_job_and_its_logs_are_read_through_the_views(databases: Databases) -> None:
    """One job, its logs in their order, the clients, and the days of a breakdown."""
    access = make_access(databases, EVERYBODY)

    with databases.source.transaction() as connection:
        page = page_jobs(connection, april(), access, after=None, limit=50, texts=Texts.NONE)
        job = find_job(connection, page.rows[2].job_id, EVERYBODY)
        logs = list_logs(connection, page.rows[2].job_id, EVERYBODY)
        clients = list_clients(connection, EVERYBODY, limit=10)
        days = sum_days(connection, april(), access, ZoneInfo("UTC"))

    assert job is not None
    assert (job.client_id, job.is_prohibited, job.category_nsfw, job.category_underage) == ("7", True, True, None)
    assert [log.category_ai_adult_general for log in logs] == [True, False]
    assert clients == ["7", "8"]
    assert [(day.day, sums.jobs, sums.rejected) for day, sums in days.items() if sums.jobs] == [
        (1, 1, 0),
        (2, 1, 1),
        (3, 2, 0),
    ]


def test_the_role_can_do_nothing_else(settings: Settings) -> None:
    """The role of the recipe reads the two views, not the tables behind them, and writes nothing."""
    assert settings.source_database_url is not None
    url = settings.source_database_url.get_secret_value()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        for statement in (
            "SELECT FROM moderation.tasks",
            "INSERT INTO jobs (prompt) VALUES ('x')",
            "UPDATE jobs SET prompt = 'x'",
            "DELETE FROM moderation_logs",
            "CREATE TABLE fencepost.more (x int)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())


def about_indexes(findings: list[Finding]) -> list[Finding]:
    found = [each for each in findings if each.text.startswith(("An index", "No index", "Indexes"))]
    return [each for each in found if "pg_trgm" not in each.text]


def test_the_indexes_of_the_recipe_serve_the_views(
    databases: Databases, settings: Settings, owner: psycopg.Connection
) -> None:
    """Without indexes `check` asks for those that the recipe has; with them no more; its own statements do the rest."""
    many = "SELECT 1 + n % 9, 'prompt', 'new', 'block', timestamp '2026-04-05' + n * interval '1 s' FROM"
    owner.execute(
        "INSERT INTO moderation.tasks (tenant, kind, state, verdict, submitted)"
        f" {many} generate_series(1, 3000) AS n".encode()
    )
    owner.execute("ANALYZE")
    before = about_indexes(list(run_checks(databases, settings)))

    for statement in recipe()[3]:
        owner.execute(statement.encode())
    between = about_indexes(list(run_checks(databases, settings)))
    for statement in [each for finding in between for each in finding.statements]:
        owner.execute(statement.encode())
    after = about_indexes(list(run_checks(databases, settings)))

    levels = [[finding.level for finding in findings] for findings in (before, between, after)]
    assert levels == [[Level.ADVICE] * 9, [*[Level.OK] * 3, *[Level.ADVICE] * 4, Level.OK], [Level.OK] * 4]
    first = export_document(databases, JobFilter.from_params(APRIL.items()), workers=2)
    owner.execute(sql.SQL("DELETE FROM moderation.tasks WHERE id > 5"))
    assert first.startswith(DOCUMENT)
    assert first.count(b"\n") == 3005
