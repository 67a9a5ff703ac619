"""Where tests run: a PostgreSQL of their own, and in it an empty, migrated database for each test."""

import gc
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4

import hypothesis
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from core.__main__ import main
from core.cli.runner import run_command
from core.db.databases import Databases
from core.db.embedded import EmbeddedServer
from core.db.startup import migrate, open_databases
from core.settings import Settings
from tests.support.examples import set_times

ROOT = Path(__file__).resolve().parent.parent
# Linux keeps these files in memory. The workers' databases take a few hundred megabytes.
MEMORY, ENOUGH = Path("/dev/shm"), 4_000_000_000

# Settings of the shell that runs the tests must not reach them, but for what says which tests must not be skipped.
for name in [name for name in os.environ if name.startswith(("FENCEPOST_", "STREAMLIT_"))]:
    if not name.startswith("FENCEPOST_TEST_"):
        del os.environ[name]
for name in ("DATABASE_URL", "SOURCE_DATABASE_URL", "MIGRATE_DATABASE_URL"):
    os.environ.pop(name, None)
# Tests start hundreds of processes, each of which would compile all of Fencepost anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# The same examples everywhere; a database beneath makes the first ones slow.
hypothesis.settings.register_profile(
    "fencepost",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture],
)
hypothesis.settings.load_profile("fencepost")


def pytest_report_header() -> str:
    server = os.environ.get("TEST_DATABASE_URL")
    return "PostgreSQL: " + ("the server of TEST_DATABASE_URL" if server else "embedded")


class TestServer:
    """A PostgreSQL server on which tests make databases; its role may create some."""

    __test__ = False

    def __init__(self, url: str, *, is_passing: bool) -> None:
        self._url = url
        # One for all: a new one for each database would take a quarter of the time of making and dropping it.
        self._connection = psycopg.connect(url, autocommit=True)
        self.version = self._connection.info.server_version
        if is_passing:
            # What is on it is worth nothing after the tests.
            for setting in ("fsync", "full_page_writes", "synchronous_commit"):
                self.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
            # The kernel copies a template four times as fast as the server does.
            self.execute(sql.SQL("ALTER SYSTEM SET file_copy_method = 'clone'").format())
            # It may lie in memory.
            self.execute(sql.SQL("ALTER SYSTEM SET max_wal_size = '512MB'").format())
            self.execute(sql.SQL("SELECT pg_reload_conf()").format())
        self._template = f"fencepost_template_{uuid4().hex[:8]}"
        migrate(Settings(database_url=SecretStr(self.create_empty(self._template))))

    def create_empty(self, name: str) -> str:
        """Make an empty database and return its URL."""
        self.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' STRATEGY FILE_COPY").format(
                sql.Identifier(name)
            )
        )
        return self.url_of(name)

    def create_migrated(self, name: str, template: str | None = None) -> str:
        """Make a database with Fencepost's tables, or a copy of another template, and return its URL."""
        # Copying the files takes half the time of writing each page to the log, on a server that flushes nothing.
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
        self.execute(statement.format(sql.Identifier(name), sql.Identifier(template or self._template)))
        return self.url_of(name)

    def drop(self, name: str) -> None:
        self.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def execute(self, statement: sql.Composed) -> None:
        self._connection.execute(statement)

    def url_of(self, database: str) -> str:
        parts = conninfo_to_dict(self._url) | {"dbname": database}
        return f"postgresql:///?{urlencode({name: str(value) for name, value in parts.items()}, quote_via=quote)}"

    def close(self) -> None:
        self.drop(self._template)
        self._connection.close()


def pytest_configure(config: pytest.Config) -> None:
    set_times(config.getoption("times"))


def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: three workers for two cores, because tests wait, too, for a browser or another process.

    With four nothing is idle any more, and each takes the caches of the others: the whole took a tenth longer.
    """
    return max(2, (os.cpu_count() or 1) * 3 // 2)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the folders whose files take longest, so that no worker is left alone with one at the end."""
    longest_first = ("browser", "core/jobs", "system", "rules", "core/sync", "core/facts", "dashboard", "api")

    def place(item: pytest.Item) -> int:
        path = item.path.relative_to(ROOT / "tests").as_posix()
        found = (place for place, folder in enumerate(longest_first) if path.startswith(f"{folder}/"))
        return next(found, len(longest_first))

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """Let httpx read the trusted certificates, and AppTest look for installed components, once and not each time.

    The tests themselves are never garbage: the collector need not look at thousands of them each time.
    """
    if "httpx" in sys.modules:
        transport: Any = import_module("httpx._transports.default")
        transport.create_ssl_context = cache(transport.create_ssl_context)
    if "streamlit.testing.v1" in sys.modules:
        scanner: Any = import_module("streamlit.components.v2.manifest_scanner")
        scanner.scan_component_manifests = cache(scanner.scan_component_manifests)
    gc.freeze()
    # What tests leave in circles is little, and to look for it after each 700 objects costs a tenth of their time.
    gc.set_threshold(20_000, 20, 20)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`make fuzz` and `make soak` ask more of the server than a run of all tests has time for."""
    parser.addoption("--examples", type=int, default=10, help="requests that Schemathesis makes up for each route")
    parser.addoption("--verdicts", type=int, default=12, help="verdicts that Chromium gives by keyboard and mouse")
    parser.addoption("--delays", action="store_true", help="races in Chromium after every delay, and for longer")
    parser.addoption("--pages", type=int, default=4, help="pages of jobs that Chromium goes through, there and back")
    parser.addoption("--exports", type=int, default=20, help="exports of each kind behind PgBouncer")
    parser.addoption(
        "--acts", type=int, default=135, help="page views, exports and reviews after which nothing has grown"
    )
    parser.addoption("--times", type=int, default=1, help="how many times as many examples Hypothesis tries")
    parser.addoption("--flood", type=float, default=4, help="seconds for which strangers flood the server")
    parser.addoption("--webhooks", type=int, default=200, help="webhooks while their sender and receiver are killed")
    parser.addoption("--reviewers-jobs", type=int, default=40, help="jobs that reviewers judge while they are killed")
    parser.addoption("--histories", type=int, default=15, help="histories of two writers after which facts are right")
    parser.addoption("--pythons", action="store_true", help="install what is needed in every other Python, and use it")
    parser.addoption("--installers", action="store_true", help="install the wheel from PyPI, by pipx and by uv")
    parser.addoption("--fuzz-seed", type=int, default=1, help="another seed makes up other requests")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    """The server of TEST_DATABASE_URL, or an embedded one that lives as long as the tests."""
    url = os.environ.get("TEST_DATABASE_URL")
    if url:
        server = TestServer(url, is_passing=False)
        yield server
        server.close()
        return
    with _passing_folder(tmp_path_factory) as folder:
        embedded = EmbeddedServer(folder)
        embedded.start()
        server = TestServer(embedded.url(role="postgres", database="postgres"), is_passing=True)
        yield server
        server.close()
        embedded.stop()


@contextmanager
def _passing_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the server a folder in memory, where there is enough: databases come and go there in a third of the time."""
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < ENOUGH:
        yield tmp_path_factory.mktemp("server")
        return
    for left in MEMORY.glob("fencepost-tests-*"):
        # Of tests that were killed: nobody else gives the memory back.
        if not Path(f"/proc/{left.name.rpartition('-')[2]}").exists():
            shutil.rmtree(left, ignore_errors=True)
    folder = MEMORY / f"fencepost-tests-{os.getpid()}"
    folder.mkdir(mode=0o700)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def empty_database_url(server: TestServer) -> Iterator[str]:
    """The URL of a database without tables."""
    name = f"fencepost_test_{uuid4().hex[:12]}"
    yield server.create_empty(name)
    server.drop(name)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, server: TestServer) -> Iterator[str]:
    """The URL of a migrated database without jobs; where a test asks for a `template`, of a copy of that one."""
    name = f"fencepost_test_{uuid4().hex[:12]}"
    template = request.getfixturevalue("template") if "template" in request.fixturenames else None
    yield server.create_migrated(name, template)
    server.drop(name)


@pytest.fixture(scope="module")
def shared_url(server: TestServer) -> Iterator[str]:
    """The URL of one migrated database for all tests of a file, where these are many and small."""
    name = f"fencepost_test_{uuid4().hex[:12]}"
    yield server.create_migrated(name)
    server.drop(name)


@pytest.fixture
def emptied_url(shared_url: str) -> str:
    """The URL of that database, emptied of jobs, exports and keys for each test."""
    with psycopg.connect(shared_url) as emptying:
        emptying.execute("TRUNCATE jobs, moderation_logs, exports, api_keys")
    return shared_url


@pytest.fixture(scope="session")
def default_settings() -> Settings:
    """The settings where nothing is set, read once: it takes longer than many a test."""
    return Settings()


@pytest.fixture
def settings(default_settings: Settings, database_url: str) -> Settings:
    return default_settings.model_copy(update={"database_url": SecretStr(database_url)})


@pytest.fixture
def databases(settings: Settings) -> Iterator[Databases]:
    """The databases, opened as the application opens them."""
    opened = open_databases(settings)
    yield opened
    opened.close()


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection]:
    """A connection beside Fencepost's own, for arranging rows and looking at what was done. Commits at once."""
    # A lock that somebody holds for good fails a test instead of stopping it.
    with psycopg.connect(database_url, autocommit=True, options="-c lock_timeout=30s") as opened:
        yield opened


@pytest.fixture
def run_core(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Iterator[Callable[..., subprocess.CompletedProcess[bytes]]]:
    """Run `python -m core …` on the test's database, within the tests' own process: that saves its start."""
    handler = signal.getsignal(signal.SIGTERM)

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
        with monkeypatch.context() as patch:
            for name, value in ({"DATABASE_URL": database_url} | environment).items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["core", *arguments])
            # A command puts another one in its place.
            patch.setattr(sys, "stderr", sys.stderr)
            with pytest.raises(SystemExit) as caught:
                run_command(main, "python -m core")
        written = capfdbinary.readouterr()
        return subprocess.CompletedProcess(arguments, int(caught.value.code or 0), written.out, written.err)

    yield run
    signal.signal(signal.SIGTERM, handler)
