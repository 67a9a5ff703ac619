"""Every page for everybody: no rule of axe-core is broken in either theme, and every control has a name."""

from collections.abc import Callable, Iterator
from typing import Any, Literal
from uuid import uuid4

import psycopg
import pytest
from playwright.sync_api import BrowserContext, CDPSession, Page, Playwright, expect
from pydantic import SecretStr

from core.actor import DEMO_PERSON
from core.db.startup import open_databases
from core.export.receipts import Progress, Status, Via, close_receipt, open_receipt
from core.settings import Settings
from tests.browser.conftest import close_dialog, launch_shell, new_profile, step_to
from tests.browser.test_categories_page import expect_charts, hear_faults
from tests.browser.test_job_panel import open_job
from tests.browser.test_jobs_page import open_jobs, wait_for
from tests.browser.test_reviews_page import settle
from tests.support.axe import find_faults
from tests.support.documents import april
from tests.support.servers import RunningServer
from tests.support.stillness import wait_until_still

# Looks at a page, which is at its address, and says each state in which it is to be looked at.
Tour = Callable[[Page], Iterator[str]]


def jobs(page: Page) -> Iterator[str]:
    expect(page.get_by_role("button", name="Keyboard ?")).to_be_visible()
    # Until the size of the window is known the list of the wide layout may be there, too.
    expect(page.get_by_role("button", name="Older").first).to_be_visible()
    wait_until_still(page)
    # On a narrow screen the head is one button.
    is_narrow = (page.viewport_size or {"width": 0})["width"] < 600
    page.get_by_role("button", name="Rejected jobs" if is_narrow else "More filters").click()
    expect(page.get_by_role("textbox", name="Prompt contains")).to_be_visible()
    yield "the list, with all filters"
    page.keyboard.press("Escape")
    # While the filters are open J is a letter.
    expect(page.get_by_role("textbox", name="Prompt contains")).to_be_hidden()
    wait_until_still(page)
    open_job(page, "j")
    page.keyboard.press("v")
    expect(page.get_by_role("region", name="Prompt")).to_be_visible()
    expect(page.get_by_role("button", name="Escalate")).to_be_visible()
    yield "a job, revealed"
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    yield "the keys of the keyboard"
    close_dialog(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Escalate")).to_have_count(0)
    wait_until_still(page)
    yield from queue(page)
    close_dialog(page)
    yield from quality(page)


def categories(page: Page) -> Iterator[str]:
    expect_charts(page)
    expect(page.get_by_role("heading", name="Reviews")).to_be_visible()
    # axe cannot see what lies behind the words of a chart; it is the page.
    words = page.evaluate(
        "() => [...document.querySelectorAll('svg.marks text')].map((one) => getComputedStyle(one).fill)"
    )
    assert set(words) == {page.evaluate("() => getComputedStyle(document.querySelector('h1')).color")}
    yield "figures, charts and tables"


def reviews(page: Page) -> Iterator[str]:
    expect(page.get_by_role("button", name="Start")).to_be_visible()
    expect(page.get_by_role("button", name="Keyboard ?")).to_be_visible()
    wait_until_still(page)
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("button", name="Escalate")).to_be_visible()
    wait_until_still(page)
    page.keyboard.press("a")
    expect(page.get_by_role("dialog", name="You have not seen the text")).to_be_visible()
    yield "the question about a text that was not seen"
    page.keyboard.press("y")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_text("1 of")).to_be_visible()
    yield "the next job"
    if (page.viewport_size or {"width": 0})["width"] < 600:
        page.get_by_role("button", name="Not reviewed yet").click()
        expect(page.get_by_role("radiogroup", name="Queue")).to_be_visible()
        yield "the queues"


def expect_refusal(page: Page, name: str, refusal: str) -> None:
    """Press the button of a dialog: whoever has scrolled down to it sees above it why nothing was done."""
    dialog = page.get_by_role("dialog")
    button, reason = dialog.get_by_role("button", name=name), dialog.get_by_text(refusal)
    button.click()
    expect(reason).to_be_visible()
    above, below = reason.bounding_box(), button.bounding_box()
    assert above is not None
    assert below is not None
    assert above["y"] < below["y"]


def queue(page: Page) -> Iterator[str]:
    page.get_by_role("button", name="Save as a queue").click()
    expect(page.get_by_role("dialog").get_by_label("Name")).to_be_visible()
    expect_refusal(page, "Save queue", "Name is empty")
    yield "the questions about a new queue, and why it was not saved"


def quality(page: Page) -> Iterator[str]:
    page.get_by_role("button", name="Draw a sample").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Who judges them, and how").click()
    expect(dialog.get_by_label("People who judge each job")).to_be_visible()
    yield "the questions about a new sample"
    dialog.get_by_role("button", name="Draw sample").click()
    expect(page.get_by_role("heading", name="By client")).to_be_visible()
    expect(page.get_by_role("link", name="Report to print")).to_be_visible()
    yield "a sample"
    page.get_by_role("button", name="All samples").click()
    expect(page.get_by_role("button", name="Sample of").first).to_be_visible()
    yield "the list"


def policy(page: Page) -> Iterator[str]:
    expect(page.get_by_text("Category Underage")).to_be_visible()
    yield "the texts"
    wait_until_still(page)
    page.get_by_role("button", name="Edit").first.click()
    expect(page.get_by_role("textbox", name="Text, in Markdown")).to_be_visible()
    expect_refusal(page, "Save", "Say whether verdicts already given still count.")
    yield "a text that is written"


def exports(page: Page) -> Iterator[str]:
    expect(page.get_by_label("Choose a file or drop it here")).to_be_visible()
    receipt = page.get_by_role("button", name="Receipt").first
    expect(receipt).to_be_visible()
    yield "the list"
    receipt.click()
    expect(page.get_by_text("SHA-256 of the file")).to_be_visible()
    yield "a receipt"


def people(page: Page) -> Iterator[str]:
    page.get_by_role("button", name="Give rights").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Some clients", exact=True).click()
    expect(dialog.get_by_role("combobox", name="Clients")).to_be_visible()
    expect_refusal(page, "Give rights", "“Address or @domain” is empty")
    yield "the questions about rights"
    close_dialog(page)
    yield "the list"


def keys(page: Page) -> Iterator[str]:
    page.get_by_role("button", name="Create key").first.click()
    dialog = page.get_by_role("dialog")
    expect_refusal(page, "Create key", "Name is empty")
    dialog.get_by_label("Name").fill("a key to look at")
    dialog.get_by_label("Client id").fill("nobody")
    # Sent at once; else it would be with the click, which then may meet a button that moves.
    page.keyboard.press("Enter")
    yield "the questions about a new key"
    dialog.get_by_role("button", name="Create key").click()
    expect(dialog.get_by_text("This is the key.")).to_be_visible()
    yield "a new key"
    dialog.get_by_role("button", name="Done").click()
    expect(dialog).to_have_count(0)
    yield "the list"


def webhooks(page: Page) -> Iterator[str]:
    expect(page.get_by_text("other.example.com").first).to_be_attached()
    yield "the list"
    page.get_by_role("button", name="Add webhook").first.click()
    expect(page.get_by_role("dialog").get_by_label("Address")).to_be_visible()
    yield "the questions about a new webhook"


def retention(page: Page) -> Iterator[str]:
    expect(page.get_by_text("Nothing has been erased yet.")).to_be_visible()
    yield "the lists"
    page.get_by_role("button", name="Place a hold").first.click()
    expect(page.get_by_role("dialog").get_by_role("textbox", name="Why they are held")).to_be_visible()
    expect_refusal(page, "Place hold", "Say what is held")
    yield "the questions about a new hold"


def audit(page: Page) -> Iterator[str]:
    expect(page.get_by_role("link", name="Download CSV")).to_be_visible()
    yield "the list"


@pytest.fixture(scope="module")
def receipt(seeded_url: str) -> None:
    """A complete export, so that there is a receipt to look at."""
    databases = open_databases(Settings(database_url=SecretStr(seeded_url)))
    export_id = uuid4()
    open_receipt(databases, DEMO_PERSON, export_id, april(decision="reject"), via=Via.DASHBOARD)
    close_receipt(databases, DEMO_PERSON, export_id, Progress(12, 345), Status.COMPLETE, sha256="ab" * 32)
    databases.close()


@pytest.fixture(scope="module")
def webhook(seeded_url: str) -> None:
    """A webhook with a message that was given up."""
    with psycopg.connect(seeded_url) as connection:
        connection.execute(
            "INSERT INTO webhook_endpoints (endpoint_id, url, events, secret, created_by, paused_at)"
            " VALUES (gen_random_uuid(), 'https://other.example.com/', '{review.overturned}', 'whsec_x', 'cli', now())"
        )
        connection.execute(
            "INSERT INTO webhook_deliveries (endpoint_id, message_id, event, body, attempts, last_error, given_up_at)"
            " SELECT endpoint_id, 'msg_1', 'review.overturned', '{}', 10, 'it was not reached', now()"
            " FROM webhook_endpoints"
        )


TOURS: dict[str, Tour] = {
    "": jobs,
    "categories": categories,
    "reviews?range=7d&decision=reject": reviews,
    "policy": policy,
    "exports": exports,
    "people": people,
    "keys": keys,
    "webhooks": webhooks,
    "retention": retention,
    "audit": audit,
}


@pytest.fixture(scope="module")
def compiling(playwright: Playwright) -> Iterator[BrowserContext]:
    """A profile in a Chromium that compiles well: axe looks at each element again and again, and these pages live long.

    What a page has loaded and compiled serves the next, for which it stays open.
    """
    with launch_shell(playwright, "--process-per-site") as launched:
        yield new_profile(launched)


@pytest.mark.usefixtures("receipt", "webhook")
@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 390)])
def test_no_rule_is_broken(
    dashboard: RunningServer, compiling: BrowserContext, theme: Literal["light", "dark"], width: int
) -> None:
    """Every page, and what opens on it, keeps all rules of axe-core, in both themes, on a wide and a narrow screen.

    Meanwhile no page says an error, or tries what its policy forbids.
    """
    page = compiling.new_page()
    said = hear_faults(page)
    page.set_viewport_size({"width": width, "height": 1000})
    page.emulate_media(color_scheme=theme)
    faults = {}

    open_jobs(page, dashboard.url)
    for address, tour in TOURS.items():
        step_to(page, f"/{address}")
        for state in tour(page):
            if found := find_faults(page):
                faults[address, state] = found

    assert faults == {}
    assert said == []


# Where the focus is, also within a component of our own. Each element that had it is marked.
_FOCUSED = """
(() => {
  let at = document.activeElement;
  while (at.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  at.hadFocus = true;
  return at;
})()
"""

# What is to be used and had no focus. Of a group that Tab enters, the arrow keys reach the rest.
_LEFT = """
() => {
  const found = [], controls = "a[href], button, input, select, textarea, summary, [tabindex], [contenteditable]";
  const look = (root) => {
    for (const one of root.querySelectorAll("*")) {
      if (one.shadowRoot) look(one.shadowRoot);
      if (!one.matches(controls) || one.hadFocus || one.disabled || !one.checkVisibility({ opacityProperty: true }))
        continue;
      const group = one.closest("[role=radiogroup], [role=toolbar], [role=grid]");
      if (group && [...group.querySelectorAll("*")].some((other) => other.hadFocus)) continue;
      found.push(one.getAttribute("aria-label") || one.textContent || `${one.localName} ${one.type ?? ""}`);
    }
  };
  look(document);
  return found;
}
"""

# What is Streamlit's own, and why it keeps nobody out. What is no longer so is to be removed here.
UNNAMED = {
    "main": "the target of “Skip to main content”",
    "Canvas": "a table: its cells have names, and its buttons bear the name that we gave it",
    "group": "the frame around a table, which scrolls",
}
LEFT = {
    "Open": "in a list to choose from the arrow keys open it",
    "input date": "stands behind the parts of a date, for what fills in forms",
}


@pytest.mark.parametrize(("is_open", "left"), [(False, set(LEFT)), (True, {"Open"})], ids=["list", "job"])
def test_tab_reaches_every_control_and_each_has_a_name(
    dashboard: RunningServer, context: BrowserContext, page: Page, is_open: bool, left: set[str]
) -> None:
    """On the page of jobs, with none open or one revealed, Tab stops at every control, and says what it is."""
    open_jobs(page, dashboard.url)
    if is_open:
        open_job(page, "j")
        page.keyboard.press("v")
        expect(page.get_by_role("region", name="Prompt")).to_be_visible()
        expect(page.get_by_role("button", name="Escalate")).to_be_visible()
    # The table's own script comes last.
    expect(page.get_by_test_id("data-grid-canvas")).to_be_visible()
    wait_until_still(page)
    page.evaluate("document.activeElement.blur()")
    browser_door = context.new_cdp_session(page)
    browser_door.send("Accessibility.enable")

    stops: list[tuple[str, str]] = []
    while True:
        page.keyboard.press("Tab")
        focused = browser_door.send("Runtime.evaluate", {"expression": _FOCUSED})["result"]
        if focused["description"].startswith("body"):
            break
        asked = {"objectId": focused["objectId"], "fetchRelatives": False}
        node = browser_door.send("Accessibility.getPartialAXTree", asked)["nodes"][0]
        stops.append((node["role"]["value"], node.get("name", {}).get("value", "")))
        assert len(stops) < 200

    assert {role for role, name in stops if not name.strip()} == UNNAMED.keys()
    assert set(page.evaluate(_LEFT)) == left


def said(browser_door: CDPSession) -> list[str]:
    """Return what stands in the places that a screen reader reads out when they change."""
    nodes = {node["nodeId"]: node for node in browser_door.send("Accessibility.getFullAXTree")["nodes"]}

    def texts(node: dict[str, Any]) -> Iterator[str]:
        if node.get("role", {}).get("value") == "StaticText":
            yield node["name"]["value"]
        for child in node.get("childIds", []):
            yield from texts(nodes[child])

    return [
        "".join(texts(node))
        for node in nodes.values()
        if {"name": "live", "value": {"type": "token", "value": "polite"}} in node.get("properties", [])
    ]


def test_a_screen_reader_hears_what_is_open_and_what_was_recorded(
    dashboard: RunningServer, context: BrowserContext, page: Page
) -> None:
    """Which job is open, with its decision, and each verdict: also the same words once more for the next job."""
    browser_door = context.new_cdp_session(page)
    browser_door.send("Accessibility.enable")
    page.goto(f"{dashboard.url}/reviews?range=30d&decision=pass&category=none")
    expect(page.get_by_role("button", name="Start")).to_be_visible()
    expect(page.get_by_role("button", name="Keyboard ?")).to_be_visible()

    page.keyboard.press("j")
    wait_for(page, lambda: any(text.startswith("Job opened: Passed, ") for text in said(browser_door)))
    opened = said(browser_door)
    settle(page)
    page.keyboard.press("a")
    wait_for(page, lambda: "Agree: recorded for 1 job. U takes it back." in said(browser_door))
    wait_for(page, lambda: not set(opened) & {text for text in said(browser_door) if text.startswith("Job opened")})

    page.evaluate(_WATCH_ACTS)
    settle(page)
    page.keyboard.press("a")
    wait_for(page, lambda: page.evaluate("window.acts") >= 2)


# Counts the changes of the place in which acts are said: taken away, and put there again.
_WATCH_ACTS = """
() => {
  window.acts = 0;
  const roots = [...document.querySelectorAll("*")].map((one) => one.shadowRoot).filter((root) => root);
  const places = roots.flatMap((root) => [...root.querySelectorAll("[role=status]")]);
  const place = places.find((one) => one.textContent.startsWith("Agree"));
  new MutationObserver((changes) => (window.acts += changes.length)).observe(place, { childList: true });
}
"""
