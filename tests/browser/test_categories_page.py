"""The page of categories in Chromium: charts draw under the page's policy, and its numbers open exactly these jobs."""

import re
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.support.axe import wait_until_still
from tests.support.servers import RunningServer

CHARTS = ("Decisions", "Flagged jobs", "Rates", "Decided without a log", "Categories that come together")


def open_categories(page: Page, url: str) -> None:
    page.goto(f"{url}/categories")
    for name in CHARTS:
        chart = page.get_by_label(re.compile(f"^{name}: "))
        expect(chart.locator("svg.marks")).to_be_visible()


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 390)])
def test_charts_draw_under_the_policy(
    dashboard: RunningServer, page: Page, theme: Literal["light", "dark"], width: int
) -> None:
    """Every chart draws its marks, and nothing that the Content-Security-Policy forbids is tried."""
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=theme)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))

    open_categories(page, dashboard.url)

    for name in CHARTS:
        marks = page.get_by_label(re.compile(f"^{name}: ")).locator(".mark-rect path, .mark-symbol path")
        assert marks.count() >= 7, name
    assert [text for text in said if re.search("Content Security Policy|unsafe-eval|Error:", text)] == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_number_opens_exactly_these_jobs(dashboard: RunningServer, page: Page) -> None:
    """The Jobs page that a disagreement leads to lists as many jobs as it says."""
    open_categories(page, dashboard.url)
    for number in range(3):
        link = page.get_by_test_id("stPageLink-NavLink").filter(has_text=re.compile(r"^[\d,]+ jobs")).nth(number)
        found = re.search(r"([\d,]+) jobs", link.inner_text())
        assert found is not None

        link.click()

        expect(page.get_by_role("link", name=re.compile(rf"Download CSV · {found[1]} rows"))).to_be_visible()
        assert urlsplit(page.url).path == "/"
        page.go_back()
        expect(page.get_by_role("heading", name="Reviews")).to_be_visible()
        wait_until_still(page)


def test_a_mark_opens_its_jobs(dashboard: RunningServer, page: Page) -> None:
    """A click on a mark of the chart of reasons opens the jobs with this reason on this day: as many as it says."""
    open_categories(page, dashboard.url)
    mark = page.get_by_label(re.compile("^The commonest reasons by day: ")).locator(".mark-symbol.role-mark path").first
    told = re.search(r"jobs: (\d+)", mark.get_attribute("aria-label") or "")
    assert told is not None

    mark.click()

    rows = "1 row" if told[1] == "1" else f"{told[1]} rows"
    expect(page.get_by_role("link", name=f"Download CSV · {rows}")).to_be_visible()
    assert urlsplit(page.url).path == "/"


def test_back_undoes_a_change(dashboard: RunningServer, page: Page) -> None:
    """A period is one step of the address, which Back takes back."""
    open_categories(page, dashboard.url)

    page.get_by_text("Last 7 days").click()
    page.wait_for_url("**/categories?range=7d")
    expect(page.get_by_text(re.compile(r"jobs in 7 days"))).to_be_visible()
    page.go_back()

    expect(page.get_by_text(re.compile(r"jobs in 30 days"))).to_be_visible()
