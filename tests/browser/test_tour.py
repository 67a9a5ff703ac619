"""The tour through the demo (`docs/tour.md`): what has happened there is found within a few clicks."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from core.intake.demo_jobs import MISSING_LOGS_DAY, WAVE_CLIENT, WAVE_DAY
from core.intake.demo_texts import NEW_REASON, WRONG_REASON, WRONG_SUBJECTS
from tests.browser.conftest import UNTIL
from tests.browser.test_jobs_page import lead, open_tab, wait_for
from tests.support.servers import RunningServer
from tests.support.stillness import wait_until_still

# What the list of jobs says to who listens: a row for each job.
ROWS = '() => [...document.querySelectorAll("canvas tbody tr")].map((row) => row.textContent)'


class Clicks:
    """Clicks from the start page on, counted."""

    def __init__(self, page: Page) -> None:
        self.page, self.made = page, 0

    def click(self, place: Locator) -> None:
        place.first.click()
        self.made += 1
        wait_until_still(self.page)

    def open_categories(self) -> None:
        self.click(self.page.get_by_role("link", name="Categories"))
        expect(self.page.get_by_role("heading", name="The commonest reasons by day")).to_be_visible()

    def open_reason(self, reason: str) -> None:
        self.click(self.page.get_by_role("link", name=reason).or_(self.page.get_by_role("button", name=reason)))
        expect(self.page.get_by_role("link", name="Download CSV")).to_be_visible()

    def show_prompts(self, is_found: Callable[[list[str]], bool]) -> None:
        """Switch prompts on, and wait for what the rows say: while the table is drawn anew it has none, or a few."""
        self.click(self.page.get_by_text("Show prompts"))
        wait_for(self.page, lambda: is_found(self.page.evaluate(ROWS)))


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    with open_tab(browser) as opened:
        opened.set_viewport_size({"width": 1400, "height": 900})
        yield opened


@pytest.fixture
def clicks(dashboard: RunningServer, tab: Page) -> Clicks:
    lead(tab, dashboard.url, "/")
    return Clicks(tab)


def days_before_the_end(days: float) -> set[str]:
    """Name the days, of which two touch the demo's one in a zone that is not UTC."""
    return {f"{day.day} {day:%b}" for day in (UNTIL - timedelta(days=days), UNTIL - timedelta(days=days - 1))}


def test_the_day_without_logs_and_the_new_rule(clicks: Clicks) -> None:
    """One click, and the page names the day; the reason that is new is marked, and the second click opens its jobs."""
    clicks.open_categories()
    worst = clicks.page.get_by_text(re.compile("The share is highest on ")).text_content() or ""
    line = clicks.page.get_by_test_id("stHorizontalBlock").filter(has_text=NEW_REASON)
    expect(line.get_by_text("New", exact=True).first).to_be_visible()
    seen = clicks.made
    clicks.open_reason(NEW_REASON)

    assert any(f"highest on {day} " in worst for day in days_before_the_end(MISSING_LOGS_DAY))
    assert (seen, clicks.made) == (1, 2)


def test_the_wrong_rule(clicks: Clicks) -> None:
    """Three clicks, and the prompts that a rule rejects speak of nothing that it is about."""
    clicks.open_categories()
    clicks.open_reason(WRONG_REASON)

    def are_of_the_subject(rows: list[str]) -> bool:
        return len(rows) > 5 and sum(any(subject in row for subject in WRONG_SUBJECTS) for row in rows) > len(rows) // 3

    clicks.show_prompts(are_of_the_subject)

    assert clicks.made == 3


def test_the_wave(clicks: Clicks) -> None:
    """Five clicks: a client, its one day, and the same prompt over and over."""
    clicks.open_categories()
    clicks.click(clicks.page.get_by_role("combobox", name="Client"))
    clicks.click(clicks.page.get_by_role("option", name=WAVE_CLIENT))
    most = clicks.page.get_by_text(re.compile("Most were rejected on "))
    # All clients together may name the same day.
    clicks.page.wait_for_url(f"**/categories?*client_id={WAVE_CLIENT}")
    wait_until_still(clicks.page)
    expect(most).to_contain_text(re.compile("|".join(sorted(days_before_the_end(WAVE_DAY)))))
    clicks.open_reason("Prompt injection, suspected")
    clicks.show_prompts(lambda rows: sum("Draw a harbour full of boats as a poster, number" in row for row in rows) > 1)

    assert clicks.made == 5
    assert f"client_id={WAVE_CLIENT}" in clicks.page.url
