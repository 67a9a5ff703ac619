"""Measure the Jobs page in Chromium: `python -m benchmarks.pages [--jobs N] [--times N] [--keep DIRECTORY]`.

How long from opening it until the rows are painted, from Apply with another range, client, decision, status or type
until the new rows are, from J until the next job can be judged, and from a verdict until the next job of a queue can.
In alternation with a bare Streamlit page that has one fixed table (`bare_page.py`). Writes its own section of
RESULTS.md. Needs Chromium and `requirements-dev.txt`.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from benchmarks.bare_page import name_row
from benchmarks.figures import p95
from benchmarks.results import write_section
from benchmarks.server import ROOT, UNTIL, stored
from core.db.databases import Databases
from core.instants import print_instant
from core.jobs.access import make_access
from core.jobs.filter import JobFilter
from core.jobs.hidden_text import Texts
from core.jobs.pages import page_jobs
from core.jobs.wall import Wall

JOBS_PORT, BARE_PORT = 3096, 3095
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking")
DRAWING = Path(__file__).with_name("drawing.js").read_text()

# Rows that stand on a screen: all of them must be painted.
ROWS = 10

# What the page opens on: what was rejected in the last week that has jobs.
WEEK = {"from": print_instant(UNTIL - timedelta(days=7)), "to": print_instant(UNTIL), "decision": "reject"}


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the filter and the one after it: how somebody makes them, and what they add to the address.

    `make` and `after` prepare everything and return what is to be pressed in the end.
    """

    adds: dict[str, str]
    make: Callable[[Page], Locator]
    after: Callable[[Page], Locator]
    after_adds: dict[str, str] = field(default_factory=dict)


def _apply(page: Page) -> Locator:
    return page.get_by_role("button", name="Apply", exact=True)


def _pick_last_day(day: str) -> Callable[[Page], Locator]:
    def pick(page: Page) -> Locator:
        page.get_by_role("spinbutton", name="day, Last day (included)").click()
        page.keyboard.type(day)
        return _apply(page)

    return pick


def _press_passed(page: Page) -> Locator:
    page.get_by_test_id("stForm").get_by_role("button", name="Passed").click()
    return _apply(page)


def _choose(label: str, value: str) -> Callable[[Page], Locator]:
    def choose(page: Page) -> Locator:
        page.get_by_text("More filters", exact=True).click()
        box = page.get_by_role("combobox", name=label)
        box.fill(value)
        page.get_by_role("option", name=value, exact=True).click()
        # No hand is quicker, and now and then the box forgets what was chosen where Escape comes within milliseconds.
        page.wait_for_timeout(200)
        # Of the list of options, where it is still open, then of what it stands in.
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        return _apply(page)

    return choose


def _drop(page: Page, name: str) -> Locator:
    """Return the chip of a filter."""
    return page.locator(f".st-key-chip_{name} button").first


CHANGES = {
    "range": Change({"to": print_instant(UNTIL - timedelta(days=2))}, _pick_last_day("28"), _pick_last_day("30")),
    "decision": Change({"decision": "reject,pass"}, _press_passed, _press_passed),
    "status": Change({"status": "failed"}, _choose("Status", "failed"), lambda page: _drop(page, "status")),
    "type": Change({"type": "video"}, _choose("Type", "video"), lambda page: _drop(page, "type")),
    # The last one, because it leaves a filter behind.
    "client": Change(
        {"client_id": "demo-eastwind"},
        _choose("Client", "demo-eastwind"),
        _choose("Client", "demo-bluebird"),
        {"client_id": "demo-bluebird"},
    ),
}


@click.command()
@click.option("--jobs", default=10_000_000, show_default=True)
@click.option("--times", default=10, show_default=True, help="Repetitions of each measurement.")
@click.option("--keep", type=click.Path(path_type=Path), help="Where the jobs stay, and are found the next time.")
def main(jobs: int, times: int, keep: Path | None) -> None:
    """Measure, print and write the section."""
    with (
        tempfile.TemporaryDirectory() as temporary,
        stored((keep or Path(temporary)) / str(jobs), jobs) as (url, databases),
        _serving([sys.executable, "-m", "dashboard"], JOBS_PORT, DATABASE_URL=url, FENCEPOST_DEMO="1"),
        _serving([sys.executable, "-m", "streamlit", "run", "benchmarks/bare_page.py"], BARE_PORT),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        before = os.getloadavg()[0]
        lines = _table(_measure(browser, databases, times))
        busy = f"{before:.0f} before and {os.getloadavg()[0]:.0f} after"
        browser.close()
    write_section(
        f"The Jobs page in Chromium: {jobs:,} jobs",
        [
            f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores that Chromium shares with the servers, load {busy}; "
            f"{times} of each.",
            "The peer is a bare Streamlit page with one fixed table, in alternation; its change is a button.",
            "Made by `python -m benchmarks.pages`.",
            "",
            *lines,
        ],
    )


def _measure(browser: Browser, databases: Databases, times: int) -> Iterator[tuple[str, list[float], list[float]]]:
    """Yield what was measured, and the milliseconds of the Jobs page and of its peer."""
    jobs_page = f"http://127.0.0.1:{JOBS_PORT}/?" + "&".join(f"{name}={value}" for name, value in WEEK.items())
    bare_page = f"http://127.0.0.1:{BARE_PORT}/"
    week, bare = _first_rows(databases, WEEK), _bare_rows(0)
    for what, fresh in (("opening, nothing in the cache", True), ("opening in a new tab", False)):
        ours: list[float] = []
        theirs: list[float] = []
        context = browser.new_context(timezone_id="UTC", viewport={"width": 1280, "height": 1000})
        context.add_init_script(DRAWING)
        for _ in range(times + 1):
            if fresh:
                context.close()
                context = browser.new_context(timezone_id="UTC", viewport={"width": 1280, "height": 1000})
                context.add_init_script(DRAWING)
            for address, rows, taken in ((jobs_page, week, ours), (bare_page, bare, theirs)):
                page = context.new_page()
                page.goto(address)
                taken.append(_wait(page, rows))
                page.close()
        context.close()
        # The first one of each finds nothing warm, neither here nor at the servers.
        yield what, ours[1:], theirs[1:]
    context = browser.new_context(timezone_id="UTC", viewport={"width": 1280, "height": 1000})
    context.add_init_script(DRAWING)
    page, other = context.new_page(), context.new_page()
    page.goto(jobs_page)
    _wait(page, week)
    other.goto(bare_page)
    _wait(other, bare)
    turn = 0
    for what, change in CHANGES.items():
        ours, theirs = [], []
        steps = [
            (step, _first_rows(databases, WEEK | adds))
            for step, adds in ((change.make, change.adds), (change.after, change.after_adds))
        ]
        # An even number, so that the next change begins where this one did.
        for number in range(times + times % 2):
            step, rows = steps[number % 2]
            page.bring_to_front()
            ours.append(_press(page, step(page), rows))
            other.bring_to_front()
            turn += 1
            theirs.append(_press(other, _apply(other), _bare_rows(turn)))
        yield what, ours, theirs
    other.bring_to_front()
    theirs = [_press(other, _apply(other), _bare_rows(turn + number)) for number in range(1, times + 1)]
    page.bring_to_front()
    page.goto(jobs_page)
    _wait(page, week)
    # The first one lays the list and the job out side by side.
    yield "next job", [_press_key(page, "j") for _ in range(times + 1)][1:], theirs
    page.goto(f"http://127.0.0.1:{JOBS_PORT}/reviews?from={WEEK['from']}&to={WEEK['to']}&decision=pass&category=none")
    page.get_by_role("button", name="Keyboard ?").wait_for()
    page.wait_for_timeout(1500)
    _press_key(page, "j")
    yield "verdict to next job", [_press_key(page, "a") for _ in range(times + 1)][1:], theirs
    context.close()


def _press_key(page: Page, key: str) -> float:
    """Press a key that leads to another job; return the seconds until that one can be read and judged."""
    page.keyboard.press(key)
    page.wait_for_function("() => window.jobAfter() !== null", timeout=120_000)
    found: float = page.evaluate("() => window.jobAfter()")
    page.wait_for_timeout(1000)
    return found / 1000


def _press(page: Page, button: Locator, rows: list[str]) -> float:
    """Press a button; return the seconds until these rows are shown."""
    # Whoever presses it has moved there before.
    button.hover()
    button.click()
    return _wait(page, rows)


def _wait(page: Page, rows: list[str]) -> float:
    page.wait_for_function("rows => window.shownAfter(rows) !== null", arg=rows, timeout=120_000)
    found: float = page.evaluate("rows => window.shownAfter(rows)", rows)
    # What comes after the rows must not be part of the next measurement.
    page.wait_for_timeout(1500)
    return found / 1000


def _first_rows(databases: Databases, params: dict[str, str]) -> list[str]:
    """Return the first cells of the rows that a view shows first."""
    source = databases.source
    with source.transaction(timeout=60) as connection:
        job_filter = JobFilter.from_params(params.items())
        page = page_jobs(
            connection, job_filter, make_access(databases, Wall(None)), after=None, limit=ROWS, texts=Texts.NONE
        )
    return [f"{row.created_at:%Y-%m-%d %H:%M:%S}" for row in page.rows]


def _bare_rows(turn: int) -> list[str]:
    return [name_row(turn, row) for row in range(ROWS)]


def _table(measured: Iterator[tuple[str, list[float], list[float]]]) -> list[str]:
    lines = ["| until the rows are painted | median | p95 | bare page | ratio |", "|---|---|---|---|---|"]
    every: list[float] = []
    for what, ours, theirs in measured:
        median, peer = statistics.median(ours), statistics.median(theirs)
        if what in CHANGES:
            every += ours
            what = f"change of {what}"
        cells = f"{median * 1000:.0f} ms | {p95(ours):.0f} ms | {peer * 1000:.0f} ms"
        lines.append(f"| {what} | {cells} | **{median / peer:.1f} ×** |")
        print(lines[-1], flush=True)
    lines.append(f"| all changes | {statistics.median(every) * 1000:.0f} ms | {p95(every):.0f} ms | | |")
    print(lines[-1], flush=True)
    return lines


@contextmanager
def _serving(command: list[str], port: int, **environment: str) -> Iterator[None]:
    variables = (
        os.environ
        | environment
        | {
            "STREAMLIT_SERVER_PORT": str(port),
            "STREAMLIT_SERVER_ADDRESS": "127.0.0.1",
            "STREAMLIT_SERVER_HEADLESS": "true",
        }
    )
    with subprocess.Popen(
        command, cwd=ROOT, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            _wait_until_it_answers(port)
            yield
        finally:
            process.terminate()


def _wait_until_it_answers(port: int) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/").close()
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
        else:
            return
    raise SystemExit("a server does not answer")


if __name__ == "__main__":
    main()
