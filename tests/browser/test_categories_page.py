"""The page of categories in Chromium: charts draw under the page's policy, and its numbers open exactly these jobs."""

import re
from collections.abc import Iterator
from itertools import product
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.test_jobs_page import lead, open_tab
from tests.support.servers import RunningServer
from tests.support.stillness import wait_until_still

CHARTS = ("Decisions", "Flagged jobs", "Rates", "Decided without a log", "Categories that come together")

# Two clicks, quicker than the answer to the first one, and no quicker than a hand.
QUICKLY = """
async ([first, second, pause]) => {
  first.click();
  await new Promise((resolve) => setTimeout(resolve, pause));
  const said = second.href;
  // Whoever waits clicks again.
  second.click();
  second.click();
  return said;
}
"""


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    with open_tab(browser) as opened:
        yield opened


@pytest.fixture
def page(tab: Page) -> Page:
    return tab


def hear_faults(page: Page) -> list[str]:
    """Return the list of what a page will say of errors, and of what its policy forbids."""
    said: list[str] = []

    def note(text: str) -> None:
        if re.search("Content Security Policy|unsafe-eval|Error:", text):
            said.append(text)

    page.on("console", lambda message: note(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


def expect_charts(page: Page) -> None:
    """Expect that every chart has drawn its marks, and that they are within the window."""
    for name in CHARTS:
        chart = page.get_by_label(re.compile(f"^{name}: "))
        expect(chart.locator("svg.marks")).to_be_visible()
        assert chart.locator(".mark-rect path, .mark-symbol path").count() >= 7, name
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_numbers_and_marks_open_exactly_these_jobs_and_back_undoes_a_change(
    dashboard: RunningServer, page: Page
) -> None:
    """The Jobs page that a disagreement, or a mark of the chart of reasons, leads to lists as many jobs as it says.

    A period is one step of the address, which Back takes back. The charts draw under the policy; on a dark telephone,
    see test_accessibility.py.
    """
    said = hear_faults(page)
    lead(page, dashboard.url, "/categories")
    expect_charts(page)
    page.get_by_text("Last 7 days").click()
    page.wait_for_url("**/categories?range=7d")
    wait_until_still(page)
    expect(page.get_by_text(re.compile(r"jobs in 7 days"))).to_be_visible()
    page.go_back()
    page.get_by_text(re.compile(r"jobs in 30 days")).wait_for()
    expect(page.get_by_text(re.compile(r"jobs in 30 days"))).to_be_visible()
    wait_until_still(page)

    link = page.get_by_test_id("stPageLink-NavLink").filter(has_text=re.compile(r"^[\d,]+ jobs")).first
    expect_to_open(page, link, re.search(r"([\d,]+) jobs", link.inner_text()))
    # Back means the page before once the address of this one is written.
    page.go_back()
    page.wait_for_url("**/categories")
    wait_until_still(page)
    expect(page.get_by_role("heading", name="Reviews")).to_be_visible()
    wait_until_still(page)

    mark = page.get_by_label(re.compile("^The commonest reasons by day: ")).locator(".mark-symbol.role-mark path").first
    expect_to_open(page, mark, re.search(r"jobs: (\d+)", mark.get_attribute("aria-label") or ""))
    page.go_back()
    page.get_by_text(re.compile(r"jobs in 30 days")).wait_for()
    expect(page.get_by_text(re.compile(r"jobs in 30 days"))).to_be_visible()
    assert page.url == f"{dashboard.url}/categories"
    assert said == []


def test_a_link_that_is_followed_before_a_choice_was_heard_leads_where_it_said(
    pytestconfig: pytest.Config, dashboard: RunningServer, page: Page
) -> None:
    """Somebody chooses a client and clicks a reason soon after: its jobs come, and Back leads to what was chosen."""
    # Before the answer to the choice has begun, and while it is under way.
    for pause in (20, 60, 200, 500) if pytestconfig.getoption("delays") else (60, 200):
        lead(page, dashboard.url, "/categories")
        reason = page.get_by_test_id("stPageLink-NavLink").filter(has_text="Prompt injection, suspected")
        wait_until_still(page)
        # Where the script that gives it a path is not there yet, it says that it leads to this page.
        expect(reason).to_have_attribute("href", re.compile(r"^\./\?"))
        page.get_by_role("combobox", name="Client").click()
        option = page.get_by_role("option").first.element_handle()
        said = page.evaluate(QUICKLY, [option, reason.element_handle(), pause])

        # A link that was drawn anew meanwhile is followed by the browser itself.
        assert urlsplit(said).path == "/", pause
        page.wait_for_url(lambda url: urlsplit(url).path == "/")
        wait_until_still(page)
        expect(page.get_by_role("link", name="Download CSV")).to_be_visible()
        wait_until_still(page)
        params = parse_qs(urlsplit(page.url).query)
        assert params == parse_qs(urlsplit(said).query), pause
        assert "reason" in params, pause
        page.go_back()
        page.wait_for_url(lambda url: urlsplit(url).path == "/categories")
        wait_until_still(page)
        assert parse_qs(urlsplit(page.url).query).keys() == {"range", "client_id"}, pause


HOW: tuple[dict[str, Any], ...] = ({"modifiers": ["Control"]}, {"button": "middle"})


def test_a_link_opens_in_a_new_tab_what_it_would_open_here(dashboard: RunningServer, page: Page) -> None:
    """The jobs of a reason, and a page of the bar, by a key that is held and by the middle button; this tab stays."""
    lead(page, dashboard.url, "/categories")
    here = page.url
    reason = page.get_by_test_id("stPageLink-NavLink").filter(has_text="Prompt injection, suspected")

    quality = page.get_by_role("link", name="Quality")
    # The script that gives it a path may come after all else.
    expect(reason).to_have_attribute("href", re.compile(r"^\./\?"))
    wanted: tuple[tuple[Locator, str, set[str]], ...] = (
        (reason, "/", {"from", "to", "reason"}),
        (quality, "/quality", set()),
    )

    for how, (link, path, params) in product(HOW, wanted):
        with page.context.expect_page() as opened:
            link.click(**how)
        # What it would draw is none of this test's business.
        opened.value.wait_for_url(re.compile(rf"^{re.escape(dashboard.url)}{path}(\?|$)"), wait_until="commit")
        assert params <= parse_qs(urlsplit(opened.value.url).query).keys()
        opened.value.close()
        wait_until_still(page)
        assert page.url == here


def expect_to_open(page: Page, place: Locator, told: re.Match[str] | None) -> None:
    """Click where so many jobs are told of, and expect a list of as many."""
    assert told is not None
    place.click()
    page.wait_for_url(lambda url: urlsplit(url).path == "/")
    rows = "1 row" if told[1] == "1" else f"{told[1]} rows"
    wait_until_still(page)
    expect(page.get_by_role("link", name=f"Download CSV · {rows}", exact=True)).to_be_visible()
    wait_until_still(page)
