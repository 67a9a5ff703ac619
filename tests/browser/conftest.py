"""A Chromium, and a dashboard with demo jobs for it to look at."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, expect, sync_playwright
from pydantic import SecretStr

from core.db.startup import open_databases
from core.intake.demo import seed_jobs
from core.settings import Settings
from tests.conftest import TestServer
from tests.support.servers import RunningServer, serving_dashboard
from tests.support.stillness import KNOW_ANSWERS, wait_until_still

# Milliseconds: generous, because no timing may decide a test.
PATIENCE = 30_000
expect.set_options(timeout=PATIENCE)

CHROMIUM_ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
# No page lives long enough to be worth compiling well: an eighth of Chromium's time. Whatever reads megabytes is.
COMPILE_ONCE = "--js-flags=--no-opt --no-maglev"
# A process of its own for each of these sites, and not for each page.
SITES = ("http://127.0.0.1/", "http://localhost/")
JOBS = 20_000
# Where the demo's jobs end. The same for all tests: the next day may begin while they run.
UNTIL = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


# Not for the session: while it lives, Playwright's event loop runs, and other tests could not run one of theirs.
@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Debian's Chromium without a window, which takes two thirds of the processor's time; else one with a window."""
    with launch_shell(playwright, COMPILE_ONCE, "--process-per-site") as launched:
        yield launched


@pytest.fixture
def browser_with_tabs(playwright: Playwright) -> Iterator[Browser]:
    """The Chromium that people have: it compiles well, and its tabs close when they became a download."""
    launched = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_ARGUMENTS)
    yield launched
    launched.close()


def find_chromium() -> str:
    """Return where Chromium is; without it a test is skipped, or fails where the browser is required."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None and os.environ.get("FENCEPOST_TEST_BROWSER") == "required":
        pytest.fail("chromium is not installed, and FENCEPOST_TEST_BROWSER=required")
    if chromium is None:
        pytest.skip("chromium is not installed: install it to run the browser tests")
    return chromium


@contextmanager
def launch_shell(playwright: Playwright, *arguments: str) -> Iterator[Browser]:
    """Launch Chromium without a window, or else one with a window, for a block."""
    shell = shutil.which("chromium-headless-shell") or find_chromium()
    launched = playwright.chromium.launch(executable_path=shell, args=[*CHROMIUM_ARGUMENTS, *arguments])
    yield launched
    launched.close()


def new_profile(browser: Browser, *, width: int = 1280, height: int = 1000, **more: Any) -> BrowserContext:
    """Return a profile in Berlin that moves nothing for show: what fades and slides costs as much as the page."""
    opened = browser.new_context(
        viewport={"width": width, "height": height},
        **{"timezone_id": "Europe/Berlin", "reduced_motion": "reduce"} | more,
    )
    opened.set_default_timeout(PATIENCE)
    opened.add_init_script(KNOW_ANSWERS)
    return opened


# Takes an address as Forward does, and returns once that was told to the server.
_STEP_TO = """
async ([address, patience]) => {
  const before = window.asked, end = performance.now() + patience;
  history.pushState({}, "", address);
  dispatchEvent(new PopStateEvent("popstate"));
  while (window.asked === before) {
    if (performance.now() > end) throw new Error(`nothing was asked at ${address}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
"""


def step_to(page: Page, address: str) -> None:
    """Lead an open page, which is still, to an address of its server; that costs a fifth of loading it."""
    wait_until_still(page)
    page.evaluate(_STEP_TO, [address, PATIENCE])
    wait_until_still(page)


def close_dialog(page: Page) -> None:
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    wait_until_still(page)


@pytest.fixture(scope="package")
def seeded_url(server: TestServer) -> Iterator[str]:
    """A database with demo jobs up to the end of today, so that today's view is full at any time of the day."""
    name = f"fencepost_test_browser_{uuid4().hex[:8]}"
    url = server.create_migrated(name)
    databases = open_databases(Settings(database_url=SecretStr(url)))
    seed_jobs(databases, JOBS, seed=7, until=UNTIL)
    databases.close()
    yield url
    server.drop(name)


@pytest.fixture(scope="package")
def dashboard(seeded_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A dashboard in demo mode; its log must stay free of traces, and of what it was asked."""
    with serving_dashboard(
        seeded_url, tmp_path_factory.mktemp("dashboard"), FENCEPOST_REQUESTS_PER_MINUTE="1000"
    ) as running:
        yield running


def keep_processes(profile: BrowserContext) -> BrowserContext:
    """Hold a page of each site open in a profile: while it is, so is their process, with all that it has compiled."""
    for site in SITES:
        keeper = profile.new_page()
        keeper.route(site, lambda route: route.fulfill(body="open", content_type="text/plain"))
        keeper.goto(site)
    return profile


def clear(profile: BrowserContext) -> None:
    """Leave nothing of a test in a profile but its processes, and what they have loaded."""
    for page in profile.pages[len(SITES) :]:
        page.close()
    profile.clear_cookies()
    # `set_storage_state` would empty the cache, too, and each test would load and read 120 scripts again.
    door = profile.new_cdp_session(profile.pages[0])
    door.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "local_storage,indexeddb"})
    door.detach()


@pytest.fixture(scope="package")
def profile(browser: Browser) -> Iterator[BrowserContext]:
    """The profile of `context`, which loads and compiles what all pages need once, and not for each test."""
    opened = keep_processes(new_profile(browser))
    yield opened
    opened.close()


@pytest.fixture
def context(profile: BrowserContext) -> Iterator[BrowserContext]:
    """A profile without cookies and storage."""
    with keeping_policy(profile):
        yield profile
        clear(profile)


@contextmanager
def keeping_policy(profile: BrowserContext) -> Iterator[None]:
    """See to it that nothing that a page of the profile does within the block is against its policy."""
    against: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if is_against_policy(message.text):
            against.append(message.text)

    profile.on("console", note)
    yield
    profile.remove_listener("console", note)
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
