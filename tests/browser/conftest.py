"""A Chromium, and a dashboard with demo jobs for it to look at."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from pydantic import SecretStr

from core.db.startup import open_databases
from core.intake.demo import seed_jobs
from core.settings import Settings
from tests.conftest import TestServer
from tests.support.servers import RunningServer, serving_dashboard

# Milliseconds: generous, because no timing may decide a test.
PATIENCE = 30_000
expect.set_options(timeout=PATIENCE)

CHROMIUM_ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
JOBS = 20_000


# Not for the session: while it lives, Playwright's event loop runs, and other tests could not run one of theirs.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a screen; chromium-headless-shell would leave the tab of a download open."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        if os.environ.get("FENCEPOST_TEST_BROWSER") == "required":
            pytest.fail("chromium is not installed, and FENCEPOST_TEST_BROWSER=required")
        pytest.skip("chromium is not installed: install it to run the browser tests")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def seeded_url(server: TestServer) -> Iterator[str]:
    """A database with demo jobs up to the end of tomorrow, so that today's view is full at any time of the day."""
    name = f"fencepost_test_browser_{uuid4().hex[:8]}"
    url = server.create_migrated(name)
    databases = open_databases(Settings(database_url=SecretStr(url)))
    until = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    seed_jobs(databases, JOBS, seed=7, until=until)
    databases.close()
    yield url
    server.drop(name)


@pytest.fixture(scope="session")
def dashboard(seeded_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A dashboard in demo mode; its log must stay free of traces, and of what it was asked."""
    with serving_dashboard(
        seeded_url, tmp_path_factory.mktemp("dashboard"), FENCEPOST_REQUESTS_PER_MINUTE="1000"
    ) as running:
        yield running


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A fresh profile in Berlin. Nothing that a page does may be against its policy."""
    against: list[str] = []
    opened = browser.new_context(
        viewport={"width": 1280, "height": 1000}, timezone_id="Europe/Berlin", accept_downloads=True
    )
    opened.set_default_timeout(PATIENCE)
    opened.on("console", lambda message: against.append(message.text) if is_against_policy(message.text) else None)
    yield opened
    opened.close()
    assert against == []


def is_against_policy(text: str) -> bool:
    """Tell whether the browser has stopped something; that Streamlit finds no WebAssembly is as it should be."""
    return "Content Security Policy" in text and "WebAssembly" not in text


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture
def rows(seeded_url: str) -> Iterator[psycopg.Connection]:
    """A connection to the jobs that the page shows."""
    with psycopg.connect(seeded_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def downloads(tmp_path: Path) -> Path:
    return tmp_path
