"""Where things stand on the page of jobs, in pixels, in the windows that people have."""

import psycopg
import pytest
from playwright.sync_api import Locator, Page, expect

from dashboard.widgets.table import ROW_HEIGHT
from dashboard.widgets.window import COOKIE, WIDE
from tests.browser.test_job_panel import open_job
from tests.browser.test_jobs_page import open_jobs, wait_for
from tests.support.rows import insert_job, insert_log
from tests.support.servers import RunningServer
from tests.support.stillness import wait_until_still

# Counts the runs of the script that begin from now on.
_WATCH_RUNS = """
() => {
  window.runs = 0;
  const app = document.querySelector("[data-testid=stApp]");
  const note = () => (window.runs += app.dataset.testScriptState === "running");
  new MutationObserver(note).observe(app, { attributeFilter: ["data-test-script-state"] });
}
"""

VERDICTS = ("Agree", "Overturn", "Not sure", "Escalate")


@pytest.fixture
def sized(page: Page, dashboard: RunningServer, request: pytest.FixtureRequest) -> Page:
    """A page in a window of a size; whoever looks at it was here before, unless it is a telephone."""
    width, height = request.param
    page.set_viewport_size({"width": width, "height": height})
    if width >= WIDE:
        page.context.add_cookies([{"name": COOKIE, "value": f"{width}x{height}", "url": dashboard.url}])
    return page


def edges(place: Locator) -> tuple[float, float]:
    """Return where something begins and ends, from the top of the window."""
    box = place.bounding_box()
    assert box is not None
    return box["y"], box["y"] + box["height"]


def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than its window."""
    found: int = page.evaluate(
        "() => { const one = document.querySelector('[data-testid=stMain]'); return one.scrollWidth - innerWidth; }"
    )
    return found


@pytest.mark.parametrize("sized", [(1400, 900)], indirect=True)
def test_the_list_begins_high_and_shows_fourteen_rows(dashboard: RunningServer, sized: Page) -> None:
    """In a common window the first row stands within 300 pixels, and 14 rows are in sight."""
    open_jobs(sized, dashboard.url, "?range=30d")
    wait_until_still(sized)

    top, bottom = edges(sized.get_by_test_id("stDataFrame"))

    assert top + ROW_HEIGHT <= 300
    assert (min(bottom, 900) - top) // ROW_HEIGHT - 1 >= 14


@pytest.mark.parametrize("sized", [(1400, 900)], indirect=True)
@pytest.mark.parametrize(("path", "year"), [("", 2003), ("reviews", 2004)], ids=["jobs", "reviews"])
def test_all_that_a_verdict_needs_is_in_sight(
    dashboard: RunningServer, sized: Page, rows: psycopg.Connection, path: str, year: int
) -> None:
    """Reason, categories, a prompt of 600 characters and all four verdicts are seen without scrolling, on both pages.

    The verdicts stand where they stood, also beside a job whose text is much longer.
    """
    words = ("a lighthouse by the sea " * 25)[:600]
    job = insert_job(rows, prompt=words, reason="rule 7", is_prohibited=True, created_at=f"{year}-04-15T13:00:00Z")
    insert_log(rows, job, category_nsfw=True)
    long = insert_job(rows, prompt=words * 40, reason=words, is_prohibited=True, created_at=f"{year}-04-15T12:00:00Z")

    open_jobs_beside(sized, f"{dashboard.url}/{path}?from={year}-04-01T00:00:00Z&to={year}-05-01T00:00:00Z&job={job}")
    sized.keyboard.press("v")
    expect(sized.get_by_role("region", name="Prompt")).to_contain_text("lighthouse")
    wait_until_still(sized)
    body = edges(body_of(sized))
    for name in ("Reason", "Prompt"):
        top, bottom = edges(sized.get_by_role("region", name=name))
        assert body[0] <= top < bottom <= body[1]
    assert body[0] < edges(sized.get_by_text("NSFW: ● Yes"))[1] <= body[1]
    places = [edges(sized.get_by_role("button", name=verdict)) for verdict in VERDICTS]
    assert all(body[1] <= top < bottom <= 900 for top, bottom in places)

    sized.keyboard.press("j")
    sized.wait_for_url(f"**{long}")
    expect(sized.get_by_text("Prompt and reason are hidden")).to_be_visible()
    sized.keyboard.press("v")
    expect(sized.get_by_role("region", name="Prompt")).to_be_visible()
    wait_until_still(sized)

    assert [edges(sized.get_by_role("button", name=verdict)) for verdict in VERDICTS] == places
    # A long reason scrolls by itself: the prompt begins in sight, in a low window, too.
    assert edges(sized.get_by_role("region", name="Prompt"))[0] + ROW_HEIGHT <= body[1]
    sized.set_viewport_size({"width": 1280, "height": 800})
    wait_for(sized, lambda: edges(body_of(sized))[1] < body[1])
    wait_until_still(sized)
    assert edges(sized.get_by_role("region", name="Prompt"))[0] + ROW_HEIGHT <= edges(body_of(sized))[1]


def body_of(page: Page) -> Locator:
    return page.locator(".st-key-job_body")


def open_jobs_beside(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.get_by_role("button", name="Escalate")).to_be_visible()
    # What hears the keys comes last.
    expect(page.get_by_role("button", name="Keyboard ?")).to_be_visible()
    wait_until_still(page)


def test_the_first_list_ends_within_a_low_window(dashboard: RunningServer, page: Page) -> None:
    """Whoever comes for the first time, in a window that is lower than a common one, sees all of the list's place."""
    page.set_viewport_size({"width": 1280, "height": 800})

    open_jobs(page, dashboard.url, "?range=30d")

    wait_for(page, lambda: edges(page.get_by_test_id("stDataFrame"))[1] <= 800)


@pytest.mark.parametrize("sized", [(390, 844)], indirect=True)
def test_on_a_telephone_the_list_comes_first_and_a_job_takes_its_place(dashboard: RunningServer, sized: Page) -> None:
    """The head is one button above the list, and says what is wrong where one looks; an open job stands alone, and
    one button leads back.

    The layout follows the window when it becomes another one.
    """
    open_jobs(sized, dashboard.url, "?range=30d")
    expect(sized.get_by_role("button", name="All jobs · Last 30 days")).to_be_visible()
    wait_until_still(sized)
    top, _ = edges(sized.get_by_test_id("stDataFrame"))

    assert top + 2 * ROW_HEIGHT <= 844
    expect(sized.get_by_role("button", name="Apply")).not_to_be_visible()
    sized.get_by_role("button", name="All jobs · Last 30 days").click()
    expect(sized.get_by_role("button", name="Apply")).to_be_visible()
    sized.get_by_role("textbox", name="Job ids").fill("no")
    sized.get_by_role("button", name="Apply").click()
    expect(sized.get_by_text("“no” is not a job id")).to_be_in_viewport()
    sized.keyboard.press("Escape")
    open_job(sized, "j")
    expect(sized.get_by_role("button", name="Older")).not_to_be_visible()
    sized.get_by_role("button", name="Back to the list").click()
    expect(sized.get_by_role("button", name="Older")).to_be_visible()

    # Turned, or on a desk, and back: each time the page is laid out for the window that there is.
    for width, folded in ((1280, 0), (390, 1)):
        wait_until_still(sized)
        sized.set_viewport_size({"width": width, "height": 844})
        expect(sized.get_by_role("button", name="All jobs · Last 30 days")).to_have_count(folded)


@pytest.mark.parametrize("sized", [(1920, 1080)], indirect=True)
def test_nothing_is_wider_than_the_window(dashboard: RunningServer, sized: Page) -> None:
    """No page of jobs scrolls sideways, with a job open or none."""
    sizes = ((1920, 1080), (1024, 768), (360, 800))
    found: dict[tuple[str, int], int] = {}
    open_jobs(sized, dashboard.url, "?range=30d")
    for state in ("none", "open"):
        if state == "open":
            open_job(sized, "j")
        for width, height in sizes if state == "none" else reversed(sizes):
            if sized.viewport_size != {"width": width, "height": height}:
                sized.evaluate(_WATCH_RUNS)
                sized.set_viewport_size({"width": width, "height": height})
                # Every other of these sizes is laid out anew, by a run that the page asks for.
                wait_for(sized, lambda: sized.evaluate("window.runs") > 0)
            wait_until_still(sized)
            found[state, width] = overflow(sized)

    assert found == {(state, width): 0 for state in ("none", "open") for width, _ in sizes}
