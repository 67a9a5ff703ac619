"""Many pages of jobs, there and back: a hundred with `make soak`."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import psycopg
import pytest
from playwright.sync_api import Page, expect

from core.instants import print_exact
from tests.browser.test_jobs_page import BERLIN, open_jobs, wait_for
from tests.support.servers import RunningServer
from tests.support.stillness import wait_until_still

SIZE = 25

# Presses a button of the pager, and returns the address once it is another one and the script has begun and ended.
_STEP = """
async (key) => {
  const app = document.querySelector("[data-testid=stApp]"), before = location.href, end = performance.now() + 30000;
  let begun = false;
  const watch = new MutationObserver(() => (begun ||= app.dataset.testScriptState === "running"));
  watch.observe(app, { attributeFilter: ["data-test-script-state"] });
  document.querySelector(`.st-key-${key} button`).click();
  while (!begun || app.dataset.testScriptState !== "notRunning" || location.href === before) {
    if (performance.now() > end) throw new Error("the next page did not come");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  watch.disconnect();
  return location.href;
}
"""

# The first column of the rows in sight: the table is drawn, and this is what it tells a screen reader.
_TIMES = '() => [...document.querySelectorAll("canvas tbody tr")].map((row) => row.cells[0].textContent)'


def place_of(address: str) -> str | None:
    """Return the place in the list that an address names; the first page has none."""
    return parse_qs(urlsplit(address).query).get("after", [None])[0]


def test_many_pages_forward_and_back(
    pytestconfig: pytest.Config, dashboard: RunningServer, page: Page, rows: psycopg.Connection
) -> None:
    """Older leads through all pages without a gap or a repeat, and Newer through the same ones back."""
    pages: int = pytestconfig.getoption("pages")
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start, end = today - timedelta(days=60), today + timedelta(days=2)
    jobs = rows.execute(
        "SELECT created_at, job_id FROM jobs WHERE created_at >= %s AND created_at < %s"
        " ORDER BY created_at DESC, job_id DESC LIMIT %s",
        (start, end, (pages + 1) * SIZE),
    ).fetchall()
    assert len(jobs) == (pages + 1) * SIZE
    lasts = [jobs[number * SIZE - 1] for number in range(1, pages + 1)]
    places = [None, *(f"{print_exact(created_at)}_{job_id}" for created_at, job_id in lasts)]

    def shows(number: int) -> bool:
        """Tell whether the rows in sight are those at the top of this page."""
        times = page.evaluate(_TIMES)
        first = jobs[number * SIZE :][: len(times)]
        return len(times) > 10 and times == [f"{at.astimezone(BERLIN):%Y-%m-%d %H:%M:%S}" for at, _ in first]

    bounds = {"from": f"{start:%Y-%m-%dT%H:%M:%SZ}", "to": f"{end:%Y-%m-%dT%H:%M:%SZ}"}
    open_jobs(page, dashboard.url, f"?{urlencode(bounds)}&size={SIZE}")
    expect(page.get_by_role("button", name="Older")).to_be_enabled()
    wait_until_still(page)
    wait_for(page, lambda: shows(0))
    forward, back = [page.url], []
    for number in range(1, pages + 1):
        forward.append(page.evaluate(_STEP, "older"))
        if number % 10 == 0 or number == pages:
            wait_for(page, lambda number=number: shows(number))  # type: ignore[misc]
    for number in range(pages - 1, -1, -1):
        back.append(page.evaluate(_STEP, "newer"))
        if number % 10 == 0:
            wait_for(page, lambda number=number: shows(number))  # type: ignore[misc]

    assert [place_of(address) for address in forward] == places
    assert [place_of(address) for address in back] == places[-2::-1]
