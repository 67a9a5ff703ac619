"""One job beside the list, read by keyboard; the way through the list; and a database that goes and comes back."""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pydantic import SecretStr
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from core.db.embedded import EmbeddedServer
from core.db.startup import migrate, open_databases
from core.instants import parse_instant
from core.intake.demo import seed_jobs
from core.settings import Settings
from dashboard.widgets.window import WIDE
from tests.browser.test_jobs_page import SLOW, SUBJECTS, lead, open_jobs, open_tab, wait_for
from tests.support.rows import insert_job
from tests.support.servers import RunningServer, serving_dashboard
from tests.support.stillness import wait_until_still

# Of a job whose reason is the name of a rule, its prompt alone.
HIDDEN = re.compile("(The prompt is|Prompt and reason are) hidden: ")
JOB = re.compile(r"[?&]job=([0-9a-f-]{36})")


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    """A tab for all tests to which it is the same how its page was come to, with a quick line."""
    with open_tab(browser, SLOW) as opened:
        yield opened


@pytest.fixture
def page(tab: Page) -> Page:
    """The tab, with a quick line, and as large as others are."""
    tab.set_viewport_size({"width": 1280, "height": 1000})
    if tab.url != "about:blank":
        tab.keyboard.press("Escape")
        tab.evaluate("window.latency = 0")
    return tab


def open_job(page: Page, key: str) -> str:
    """Press a key that opens another job; return its id."""
    before = page.url
    # A key presses the button of its step, which must stand there; that of the page before may stand for a moment, too.
    step = page.locator({"j": ".st-key-step_older button", "k": ".st-key-step_newer button"}[key])
    expect(step).to_have_count(1)
    expect(step).to_be_enabled()
    page.wait_for_timeout(500)
    page.keyboard.press(key)
    wait_for(page, lambda: page.url != before and JOB.search(page.url) is not None)
    found = JOB.search(page.url)
    assert found is not None
    # A list that is about to give way may hold it, too.
    expect(page.locator(".st-key-open_job_id code")).to_have_text(found[1])
    return found[1]


def ends_of_runs(frames: list[bytes]) -> list[int]:
    """Return how each run ended that frames tell of: of a fragment, or of the whole page."""
    messages = [ForwardMsg.FromString(frame) for frame in frames]
    return [message.script_finished for message in messages if message.HasField("script_finished")]


def test_a_job_is_read_by_keyboard_and_hidden_until_then(dashboard: RunningServer, context: BrowserContext) -> None:
    """J and K walk, V reveals, Escape closes, Back undoes; no frame holds the prompt before, and the link is enough."""
    page = context.new_page()
    frames: list[bytes] = []
    page.on(
        "websocket",
        lambda socket: socket.on(
            "framereceived", lambda frame: frames.append(frame if isinstance(frame, bytes) else frame.encode())
        ),
    )
    open_jobs(page, dashboard.url)

    first = open_job(page, "j")
    second = open_job(page, "j")
    assert open_job(page, "k") == first
    expect(page.get_by_text(HIDDEN)).to_be_visible()
    before = b"".join(frames)
    wait_until_still(page)
    frames_before = len(frames)
    page.keyboard.press("v")
    expect(page.get_by_role("region", name="Prompt")).to_be_visible()
    wait_for(page, lambda: ends_of_runs(frames[frames_before:]) != [])
    assert set(ends_of_runs(frames[frames_before:])) == {ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY}
    prompt = page.get_by_role("region", name="Prompt").text_content()
    assert prompt
    start = prompt.splitlines()[0][:20]
    # Some of what is sent is JSON, in which a prompt in Japanese is all escapes.
    written = {start.encode(), json.dumps(start)[1:-1].encode()}
    assert not [text for text in written if text in before]
    assert [text for text in written if text in b"".join(frames)]
    assert not [subject for subject in SUBJECTS if subject in before]
    page.keyboard.press("v")
    expect(page.get_by_text(HIDDEN)).to_be_visible()
    page.go_back()
    expect(page.get_by_text(second)).to_be_visible()

    colleague = context.new_page()
    open_jobs(colleague, dashboard.url, "?" + page.url.split("?")[1])
    expect(colleague.get_by_text(second)).to_be_visible()
    expect(colleague.get_by_text(HIDDEN)).to_be_visible()
    colleague.close()

    page.keyboard.press("Escape")
    expect(page.get_by_text(second)).not_to_be_visible()
    assert JOB.search(page.url) is None


# Keys that are none of ours, and stand where an American keyboard has letters that are: Turkish F, Polish and German
# with AltGr, a dead key, and a word that an input method puts together.
OTHERS = (
    {"key": "ğ", "code": "KeyE"},
    {"key": "ą", "code": "KeyA", "modifierAltGraph": True},
    {"key": "€", "code": "KeyE", "modifierAltGraph": True},
    {"key": "Dead", "code": "KeyN"},
    {"key": "Process", "code": "KeyO"},
)
_PRESS = """
(key) => ["keydown", "keyup"].forEach((type) => document.activeElement.dispatchEvent(
  new KeyboardEvent(type, { ...key, bubbles: true, cancelable: true, composed: true })))
"""


def test_no_other_key_judges_a_job_and_none_that_lies_behind_what_is_open(
    dashboard: RunningServer, page: Page, rows: psycopg.Connection
) -> None:
    """A letter in the open filters, one of another layout at a key's place, one with AltGr: the job stays as it is."""
    lead(page, dashboard.url, "/?range=30d&decision=reject")
    job_id = open_job(page, "j")
    wait_until_still(page)
    page.keyboard.press("v")
    expect(page.get_by_role("button", name="Hide again")).to_be_visible()
    wait_until_still(page)
    # Another test may have judged it.
    (before,) = rows.execute("SELECT coalesce(max(review_id), 0) FROM reviews").fetchone() or (0,)

    for key in OTHERS:
        page.evaluate(_PRESS, key)
    page.get_by_role("button", name="Rejected jobs").click()
    page.get_by_role("radio", name="Last 24 hours").focus()
    for letter in "oneav":
        page.keyboard.press(letter)
    # A run for any of them has begun before that for this one, and has ended before it.
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    query = "SELECT verdict FROM reviews WHERE job_id = %s AND review_id > %s"
    wait_for(page, lambda: rows.execute(query, (job_id, before)).fetchall() != [])
    wait_until_still(page)

    assert rows.execute(query, (job_id, before)).fetchall() == [("agree",)]
    expect(page.get_by_role("button", name="Hide again")).to_be_visible()


# Widths before and after, and milliseconds after which the one becomes the other, while a job opens.
CHANGES = ((390, 1280, (50, 200, 400)), (1280, 390, (120, 200, 280)))


def test_a_window_that_changes_while_a_job_opens_leaves_it_open(
    pytestconfig: pytest.Config, dashboard: RunningServer, page: Page
) -> None:
    """What the browser still holds of the list, and says once more, is no wish to go back to it."""

    def expect_layout(width: int, *, is_open: bool) -> None:
        """Expect what only the run shows that was asked for by the window."""
        expect(page.get_by_role("button", name="Escalate")).to_have_count(int(is_open))
        wait_until_still(page)
        is_narrow = width < WIDE
        expect(page.get_by_role("button", name="Back to the list")).to_have_count(int(is_narrow and is_open))
        expect(page.get_by_role("button", name="Older")).to_have_count(int(not (is_narrow and is_open)))
        # A head that is not folded.
        expect(page.get_by_role("button", name="More filters")).to_have_count(int(not (is_narrow or is_open)))
        wait_until_still(page)

    for width, other, pauses in CHANGES:
        page.set_viewport_size({"width": width, "height": 900})
        lead(page, dashboard.url, "/")
        for pause in pauses if pytestconfig.getoption("delays") else pauses[1:2]:
            expect_layout(width, is_open=False)
            # What a key presses is drawn after the answer is there, and later on a busy machine.
            expect(page.locator(".st-key-step_older button")).to_be_enabled()
            page.keyboard.press("j")
            page.wait_for_timeout(pause)
            for became in (other, width):
                page.set_viewport_size({"width": became, "height": 900})
                expect_layout(became, is_open=True)
                found = JOB.search(page.url)
                assert found is not None, (pause, became)
                expect(page.get_by_text(found[1])).to_be_visible()
            page.keyboard.press("Escape")
            wait_for(page, lambda: JOB.search(page.url) is None)


def test_on_a_slow_network_back_is_what_counts_and_quick_keys_do_not_break_the_page(
    pytestconfig: pytest.Config, dashboard: RunningServer, page: Page
) -> None:
    """The answer to a step, which comes after Back, does not leave its address above another job.

    What the browser has forgotten between asking for a run and hearing of it is sent to it anew.
    """
    lead(page, dashboard.url, "/")
    first = open_job(page, "j")
    open_job(page, "j")
    page.wait_for_timeout(1000)
    wait_until_still(page)

    page.evaluate("window.latency = 600")
    page.keyboard.press("j")
    page.wait_for_timeout(50)
    page.evaluate("history.back()")
    page.wait_for_timeout(2000)
    wait_until_still(page)

    expect(page.locator(".st-key-open_job_id code")).to_have_text(first)
    expect(page).to_have_url(re.compile(first))

    page.evaluate("window.latency = 300")
    quick = random.Random(7)
    for _ in range(40 if pytestconfig.getoption("delays") else 20):
        page.keyboard.press(quick.choice(("j", "k", "Escape")))
        page.wait_for_timeout(quick.choice((50, 100, 150, 200, 250, 300)))
    # A busy browser hears a key late, and asks later still: an answer that is under way would be overtaken by the next.
    for _ in range(2):
        page.wait_for_timeout(700)
        wait_until_still(page)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-connection-state", "CONNECTED")
    page.evaluate("window.latency = 0")
    open_job(page, "j")


def test_a_window_that_changes_leaves_a_dialog_open(dashboard: RunningServer, page: Page) -> None:
    """What is asked stays on screen, with what was written in it, however large the window becomes meanwhile."""
    lead(page, dashboard.url, "/")
    wait_until_still(page)
    page.get_by_role("button", name="Draw a sample").click()
    name = page.get_by_role("dialog").get_by_label("Name")
    name.fill("a name that is being written")
    for width, height in ((1280, 1400), (390, 900), (1280, 900)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(1300)
        wait_until_still(page)
        expect(name).to_have_value("a name that is being written")


# As a page looks whose buttons are not drawn yet: Python still runs.
_RUN = """
(state) => {
  document.querySelector("[data-testid=stApp]").dataset.testScriptState = state;
  document.querySelector(".st-key-step_older").style.display = state === "running" ? "none" : "";
}
"""


def test_a_step_that_is_asked_for_too_early_is_taken_once_it_can_be(dashboard: RunningServer, page: Page) -> None:
    """J waits for its button, unless another key came after it; a verdict waits for nothing.

    J, four times within half a second, each while the page is still on its way: a job is open and whole.
    """
    lead(page, dashboard.url, "/")

    # What opens no job leaves the page as it was for the next.
    for keys, opens in (("a", False), ("ja", False), ("j", True)):
        page.evaluate(_RUN, "running")
        for key in keys:
            page.keyboard.press(key)
        before = page.url
        page.evaluate(_RUN, "notRunning")
        if opens:
            expect(page.get_by_role("button", name="Escalate")).to_be_visible()
        # Two frames, in the first of which it would be taken.
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        wait_until_still(page)

        assert JOB.search(before) is None, keys
        assert (JOB.search(page.url) is not None) == opens, keys

    page.keyboard.press("Escape")
    wait_for(page, lambda: JOB.search(page.url) is None)
    expect(page.get_by_role("button", name="Escalate")).to_have_count(0)
    wait_until_still(page)
    for _ in range(4):
        page.keyboard.press("j")
        page.wait_for_timeout(130)
    page.wait_for_timeout(1200)
    wait_until_still(page)

    found = JOB.search(page.url)
    assert found is not None
    expect(page.get_by_text(found[1])).to_be_visible()
    expect(page.get_by_role("button", name="Escalate")).to_be_visible()


def test_a_search_is_a_step_that_back_undoes(dashboard: RunningServer, page: Page) -> None:
    """A filter of the form becomes a chip and the address; Back takes both away, and the chip's cross does as well.

    A question mark opens the list of keys; in a text field it is a question mark, and J is a letter.
    """
    lead(page, dashboard.url, "/")
    address = page.url

    page.get_by_role("button", name="More filters").click()
    field = page.get_by_role("textbox", name="Prompt contains")
    field.click()
    page.keyboard.type("J?")
    expect(field).to_have_value("J?")
    expect(page.get_by_role("dialog", name="Keyboard")).not_to_be_visible()
    field.fill("LIGHTHOUSE")
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url("**q=LIGHTHOUSE")
    chip = page.get_by_role("button", name="Prompt contains")
    expect(chip).to_be_visible()
    page.go_back()
    expect(chip).not_to_be_visible()
    assert page.url == address
    page.go_forward()
    expect(chip).to_be_visible()
    chip.click()
    page.wait_for_url("**/?range=7d&decision=reject")
    expect(chip).not_to_be_visible()
    wait_until_still(page)
    page.get_by_role("heading", name="Jobs").click()
    page.keyboard.press("?")

    expect(page.get_by_role("dialog").get_by_text("Open the next job, on the next page too")).to_be_visible()
    assert JOB.search(page.url) is None


def test_two_megabytes_in_one_line_are_shown_whole_and_leave_the_page_alive(
    dashboard: RunningServer, page: Page, rows: psycopg.Connection
) -> None:
    """A prompt that no browser would lay out at once is cut into pieces that together are the prompt."""
    prompt = "🦊" * 20_000 + "x" * 2_000_000 + "\u200bend"
    job_id = insert_job(rows, prompt=prompt, is_prohibited=True, created_at="2002-04-15T13:00:00Z")

    lead(page, dashboard.url, f"/?from=2002-04-01T00:00:00Z&to=2002-05-01T00:00:00Z&job={job_id}")
    page.get_by_role("button", name="Reveal").click()
    page.get_by_role("button", name="Show all").click()
    page.get_by_text("Mark them").click()

    expect(page.get_by_role("region", name="Prompt").locator("mark")).to_have_text("U+200B")
    assert page.get_by_role("region", name="Prompt").text_content() == prompt.replace("\u200b", "U+200B")


@pytest.fixture
def private(tmp_path: Path) -> Iterator[tuple[EmbeddedServer, RunningServer]]:
    """A dashboard over a PostgreSQL that a test may stop."""
    server = EmbeddedServer(tmp_path / "private")
    server.start()
    settings = Settings(database_url=SecretStr(server.url()))
    migrate(settings)
    databases = open_databases(settings)
    seed_jobs(databases, 300, seed=1, until=parse_instant("until", "2026-05-01T00:00:00Z"))
    databases.close()
    with serving_dashboard(server.url(), tmp_path) as running:
        yield server, running
    server.stop()


def test_a_database_that_goes_and_returns(
    private: tuple[EmbeddedServer, RunningServer], context: BrowserContext
) -> None:
    """While it is gone the page says so in a sentence; once it is back, one click shows the same view again."""
    server, running = private
    page = context.new_page()
    open_jobs(page, running.url, "?from=2026-01-02T00:00:00Z&to=2026-05-01T00:00:00Z&decision=reject")
    link = page.get_by_role("link", name="Download CSV").text_content()
    assert link

    server.stop()
    page.get_by_role("button", name="Refresh").click()
    expect(page.get_by_text("The database does not answer at the moment.")).to_be_visible()
    server.start()
    page.get_by_role("button", name="Try again").click()

    expect(page.get_by_role("link", name="Download CSV")).to_have_text(link)
    expect(page.get_by_text("The database does not answer at the moment.")).not_to_be_visible()
    assert "Traceback" not in running.log
