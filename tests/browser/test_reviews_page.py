"""Reviews by keyboard, and what a sign-out leaves of a note."""

import re
from collections.abc import Iterator
from functools import partial

import psycopg
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.test_job_panel import JOB
from tests.browser.test_jobs_page import lead, open_tab, wait_for
from tests.support.servers import RunningServer
from tests.support.stillness import wait_until_still

# Keeps the socket of the page, so that it can be lost; each message takes as many milliseconds as are said, there and
# back.
LINE = """
window.delay = 0;
window.WebSocket = class extends WebSocket {
  static later(act) { window.delay ? setTimeout(act, window.delay) : act(); }
  constructor(...how) {
    super(...how);
    window.socket = this;
  }
  send(data) { WebSocket.later(() => super.send(data)); }
  set onmessage(hear) { super.onmessage = (event) => WebSocket.later(() => hear.call(this, event)); }
  addEventListener(name, hear, ...more) {
    const late = (event) => WebSocket.later(() => hear.call(this, event));
    super.addEventListener(name, name === "message" ? late : hear, ...more);
  }
};
"""
# Notes each key as it is pressed, with the job that is on screen at that moment.
NOTES_KEYS = """
window.pressed = [];
addEventListener("keydown", (event) => {
  if (!event.repeat) window.pressed.push([event.key, document.querySelector(".st-key-open_job_id code")?.textContent]);
}, true);
"""
KEYS = {"a": "agree", "o": "overturn", "n": "unsure"}


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    with open_tab(browser, LINE, NOTES_KEYS) as opened:
        yield opened


@pytest.fixture
def page(tab: Page) -> Page:
    """The tab, with a quick line; no key was pressed yet."""
    if tab.url != "about:blank":
        wait_until_still(tab)
        tab.evaluate("[window.delay, window.pressed] = [0, []]")
    return tab


def open_id(page: Page) -> str | None:
    found = JOB.search(page.url)
    return None if found is None else found[1]


def settle(page: Page) -> str:
    """Wait until the job of the address can be judged, and return it: what is pressed before is for the one before."""
    # What hears the keys comes last; after a verdict the buttons do.
    expect(page.get_by_role("button", name="Keyboard ?")).to_be_visible()
    wait_until_still(page)
    wait_for(page, lambda: page.locator(f'[class*="st-key-take_back_{open_id(page)}"]').count() > 0)
    wait_for(page, lambda: page.locator(".st-key-open_job_id code").all_text_contents() == [open_id(page)])
    job_id = open_id(page)
    assert job_id is not None
    return job_id


def is_judged_as_shown(page: Page) -> bool:
    """Tell whether the job of the address is on screen with its own verdicts beside it."""
    shown = page.locator(".st-key-open_job_id code").all_text_contents()
    return shown == [open_id(page)] and page.locator(f'[class*="st-key-verdict_agree_{shown[0]}"] button').count() > 0


def reveal(page: Page) -> None:
    page.keyboard.press("v")
    expect(page.get_by_role("button", name="Hide again")).to_be_visible()
    wait_until_still(page)


def holds(rows: psycopg.Connection, query: str, job_id: str, value: str) -> bool:
    return rows.execute(query, (job_id,)).fetchall() == [(value,)]


def test_three_jobs_are_reviewed_by_keyboard_only(
    dashboard: RunningServer, page: Page, rows: psycopg.Connection
) -> None:
    """From a filter to the queue, start, reveal, three verdicts, one taken back: no hand leaves the keyboard.

    Nor does the focus leave the page, or the job: its text, which the arrows scroll.
    """
    (before,) = rows.execute("SELECT coalesce(max(review_id), 0) FROM reviews").fetchone() or (0,)
    lead(page, dashboard.url, "/")
    page.get_by_role("link", name="Review these").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Start")).to_be_visible()
    expect(page.get_by_role("main")).to_be_focused()

    page.get_by_role("button", name="Start").press("Enter")
    seen: list[str] = []
    for key, verdict in (("a", "agree"), ("o", "overturn"), ("n", "unsure")):
        wait_for(page, lambda: open_id(page) not in (None, *seen[-1:]))
        job_id = open_id(page)
        assert job_id is not None
        settle(page)
        expect(page.get_by_text(job_id)).to_be_visible()
        expect(page.locator(".st-key-job_body")).to_be_focused()
        expect(page.get_by_role("button", name="Reveal")).to_be_visible()
        page.keyboard.press("v")
        expect(page.get_by_role("region", name="Prompt").or_(page.get_by_text("Prompt: none.")).first).to_be_visible()
        page.keyboard.press(key)
        query = "SELECT verdict FROM reviews WHERE job_id = %s AND superseded_at IS NULL"
        wait_for(page, partial(holds, rows, query, job_id, verdict))
        seen.append(job_id)
    assert len(set(seen)) == 3
    wait_for(page, lambda: open_id(page) not in (None, seen[-1]))
    settle(page)
    page.keyboard.press("u")
    wait_for(page, lambda: open_id(page) == seen[-1])

    query = "SELECT job_id::text FROM reviews WHERE superseded_at IS NULL AND review_id > %s ORDER BY review_id"
    left = rows.execute(query, (before,)).fetchall()
    assert left == [(job_id,) for job_id in seen[:2]]


def test_keys_are_letters_while_somebody_types_a_note(
    dashboard: RunningServer, page: Page, rows: psycopg.Connection
) -> None:
    """M leads into the note, where A, O, U and E are letters; Escape leaves it, and it is there after a reload.

    A verdict that is pressed in the moment in which the note is left has that note, and leads to the next job.
    """
    before = rows.execute("SELECT count(*) FROM reviews").fetchone()
    lead(page, dashboard.url, "/reviews?range=7d&decision=pass")
    page.get_by_role("button", name="Start").click()
    note = page.get_by_role("textbox", name="Note")
    settle(page)
    expect(note).to_be_visible()
    page.keyboard.press("m")
    expect(note).to_be_focused()
    page.keyboard.type("A queue of you and me, no end")
    page.keyboard.press("Escape")
    expect(page).to_have_url(JOB)
    wait_for(page, lambda: rows.execute("SELECT count(*) FROM review_drafts WHERE note <> ''").fetchone() == (1,))

    page.reload()

    expect(note).to_have_value("A queue of you and me, no end")
    assert rows.execute("SELECT count(*) FROM reviews").fetchone() == before

    first = settle(page)
    reveal(page)
    note.press("End")
    page.keyboard.type("!")
    page.get_by_role("button", name="Not sure").first.click()
    wait_for(page, lambda: open_id(page) != first)

    settle(page)
    expect(note).to_have_value("")
    query = "SELECT note FROM reviews WHERE job_id = %s AND superseded_at IS NULL"
    assert holds(rows, query, first, "A queue of you and me, no end!")


def lose_connection(page: Page) -> None:
    page.context.set_offline(True)
    page.evaluate("window.socket.close()")
    expect(page.get_by_test_id("stApp")).not_to_have_attribute("data-test-connection-state", "CONNECTED")


def test_a_note_is_written_on_while_the_connection_is_lost(
    dashboard: RunningServer, page: Page, rows: psycopg.Connection
) -> None:
    """Its letters stay letters, also where a dialog takes the focus meanwhile; once it is back all of them are kept.

    However long somebody has waited for it, no letter is a verdict.
    """
    before = rows.execute("SELECT count(*) FROM reviews").fetchone()
    lead(page, dashboard.url, "/reviews?range=30d&decision=pass&category=none")
    page.get_by_role("button", name="Start").click()
    job_id = settle(page)
    note = page.get_by_role("textbox", name="Note")
    note.click()
    page.keyboard.type("No")

    def types_beside_the_note() -> bool:
        # The dialog takes the focus a moment after it is to be seen. Between two attempts to connect it may give it
        # back, and what is pressed then is text: once more.
        expect(note).not_to_be_focused()
        page.keyboard.type("aonvu")
        is_beside = note.input_value() == "No one"
        if not is_beside:
            note.fill("No one")
        return is_beside

    lose_connection(page)
    page.keyboard.type(" one")
    expect(note).to_have_value("No one")
    expect(page.get_by_role("dialog", name="Connection error")).to_be_visible()
    # A busy browser has not cleared the dialog away when the keys come; nor does it between two attempts to connect.
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<div id=left role=dialog hidden></div>')")
    wait_for(page, types_beside_the_note)
    # Longer than anybody who writes rests.
    page.wait_for_timeout(2500)
    page.context.set_offline(False)
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.wait_for_timeout(500)
    # Streamlit's dialog may have given the focus back itself as it went: then these letters are text.
    text = "No oneaonvu and on" if note.evaluate("one => one === document.activeElement") else "No one and on"
    page.keyboard.type("aonvu")
    page.evaluate("document.getElementById('left').remove()")
    expect(note).to_be_focused()
    page.keyboard.type(" and on")

    expect(note).to_have_value(text)
    assert rows.execute("SELECT count(*) FROM reviews").fetchone() == before
    query = "SELECT note FROM review_drafts WHERE job_id = %s"
    wait_for(page, partial(holds, rows, query, job_id, text))
    page.keyboard.press("Escape")
    assert settle(page) == job_id
    page.keyboard.press("a")
    query = "SELECT note FROM reviews WHERE job_id = %s AND superseded_at IS NULL"
    wait_for(page, partial(holds, rows, query, job_id, text))


def test_a_verdict_that_cannot_be_recorded_is_said(
    dashboard: RunningServer, page: Page, rows: psycopg.Connection
) -> None:
    """Where the verdict cannot be written a sentence says so, and no trace reaches the log; then it can be given."""
    lead(page, dashboard.url, "/reviews?range=7d&decision=reject")
    page.get_by_role("button", name="Start").click()
    settle(page)
    reveal(page)
    rows.execute("ALTER TABLE reviews RENAME TO elsewhere")
    try:
        page.keyboard.press("a")
        expect(page.get_by_text("The database does not answer at the moment.")).to_be_visible()
    finally:
        rows.execute("ALTER TABLE elsewhere RENAME TO reviews")

    rows.execute("ALTER TABLE jobs RENAME TO elsewhere")
    try:
        page.reload()
        expect(page.get_by_role("button", name="Try again")).to_be_visible()
    finally:
        rows.execute("ALTER TABLE elsewhere RENAME TO jobs")
    # All of it comes back, the verdicts too.
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("button", name="Escalate")).to_be_visible()
    job_id = open_id(page)
    assert job_id is not None
    settle(page)
    reveal(page)
    page.keyboard.press("a")

    query = "SELECT verdict FROM reviews WHERE job_id = %s AND superseded_at IS NULL"
    wait_for(page, partial(holds, rows, query, job_id, "agree"))
    assert "Traceback" not in dashboard.log


def test_many_verdicts_are_on_the_jobs_that_were_on_screen(
    pytestconfig: pytest.Config, dashboard: RunningServer, page: Page, rows: psycopg.Connection
) -> None:
    """By keyboard alone, 0, 60 and 200 ms between keys, pressed twice, held or clicked twice: each verdict once.

    It is on the job that was on screen, with the categories that were chosen for it; nothing is skipped.
    """
    (before,) = rows.execute("SELECT coalesce(max(review_id), 0) FROM reviews").fetchall()
    # Nothing of these is hidden.
    lead(page, dashboard.url, "/reviews?range=30d&decision=pass&category=none")
    expect(page.get_by_role("button", name="Start")).to_be_visible()
    page.keyboard.press("j")

    seen: list[str] = []
    given: list[tuple[str, str, list[str] | None]] = []
    # Every twelve of them are all that differ.
    for number in range(pytestconfig.getoption("verdicts")):
        wait_for(page, lambda: open_id(page) not in (None, *seen[-1:]))
        job_id = open_id(page)
        assert job_id is not None
        expect(page.locator(f'[class*="st-key-review_categories_{job_id}"] button').first).to_be_visible()
        key, delay = "aon"[number % 3], (0, 60, 200)[number % 3]
        categories = None
        if number % 4 == 0:
            page.keyboard.press("1")
            page.wait_for_timeout(delay)
            page.keyboard.press("3")
            page.wait_for_timeout(delay)
            categories = ["ai_adult_general", "nsfw"]
        way = ("once", "twice", "once", "held", "once", "double click")[number % 6]
        press(page, key, way, delay)
        seen.append(job_id)
        given.append((job_id, "agree" if way == "double click" else KEYS[key], categories))
    wait_for(page, lambda: open_id(page) not in (None, *seen[-1:]))

    found = rows.execute(
        "SELECT job_id::text, verdict, categories FROM reviews WHERE review_id > %s ORDER BY review_id", before
    ).fetchall()
    assert found == given
    pressed = {tuple(one) for one in page.evaluate("window.pressed")}
    keys = {verdict: key for key, verdict in KEYS.items()}
    clicked = {job_id for number, job_id in enumerate(seen) if number % 6 == 5}
    assert [job for job, verdict, _ in found if job not in clicked and (keys[verdict], job) not in pressed] == []


def press(page: Page, key: str, way: str, delay: int) -> None:
    """Give a verdict, also as somebody does whose finger or mouse stutters."""
    if way == "held":
        for _ in range(10):
            page.keyboard.down(key)
            page.wait_for_timeout(30)
        page.keyboard.up(key)
    elif way == "double click":
        press_at(page, page.get_by_role("button", name="Agree").last, delay)
    else:
        page.keyboard.press(key, delay=delay)
        if way == "twice":
            page.keyboard.press(key)


def press_at(page: Page, button: Locator, delay: int) -> None:
    """Click twice at the place of a button, whatever is there the second time."""
    box = button.bounding_box()
    assert box is not None
    place = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.click(*place)
    page.wait_for_timeout(delay)
    page.mouse.click(*place, click_count=2)


@pytest.mark.parametrize("delay", [0, 60, 200])
def test_keys_without_a_pause_judge_nothing_unseen(
    dashboard: RunningServer, page: Page, rows: psycopg.Connection, delay: int
) -> None:
    """Whoever types on without looking judges only what was on screen when the key was pressed, on a slow line, too."""
    (before,) = rows.execute("SELECT coalesce(max(review_id), 0) FROM reviews").fetchall()
    lead(page, dashboard.url, "/reviews?range=30d&decision=pass&category=none")
    expect(page.get_by_role("button", name="Start")).to_be_visible()
    page.keyboard.press("j")
    wait_for(page, lambda: open_id(page) is not None)
    settle(page)
    page.evaluate("delay => { window.delay = delay; }", delay)

    for key in "aonjakoanj" * 2:
        page.keyboard.press(key)
        page.wait_for_timeout(delay)
    page.wait_for_timeout(1000)
    wait_until_still(page)

    found = rows.execute("SELECT verdict, job_id::text FROM reviews WHERE review_id > %s", before).fetchall()
    pressed = {tuple(one) for one in page.evaluate("window.pressed")}
    keys = {verdict: key for key, verdict in KEYS.items()}
    # The first key was pressed on a job that was on screen: what came after it does not take its place.
    assert found
    assert [one for one in found if (keys[one[0]], one[1]) not in pressed] == []
    # In the end address, job and verdicts are those of one job.
    wait_for(page, lambda: is_judged_as_shown(page))


def test_two_clicks_a_moment_apart_do_a_thing_once(
    dashboard: RunningServer, page: Page, rows: psycopg.Connection
) -> None:
    """Reveal, next and take back, clicked twice within 150 ms at one place: shown, one job on, one verdict back."""
    lead(page, dashboard.url, "/reviews?range=30d&decision=reject")
    page.get_by_role("button", name="Start").click()
    wait_for(page, lambda: open_id(page) is not None)
    first = settle(page)
    press_at(page, page.get_by_role("button", name="Reveal"), 150)
    wait_until_still(page)
    expect(page.get_by_role("button", name="Hide again")).to_be_visible()

    press_at(page, page.get_by_role("button", name="Next"), 150)
    wait_for(page, lambda: open_id(page) not in (None, first))
    second = settle(page)
    expect(page.get_by_text(re.compile(r"^0 of \d"))).to_contain_text("1 skipped")

    given = "SELECT job_id::text FROM reviews WHERE superseded_at IS NULL AND job_id = ANY(%s::uuid[])"
    judged = [second]
    for key in "ao":
        page.keyboard.press("v")
        expect(page.get_by_role("button", name="Hide again")).to_be_visible()
        page.keyboard.press(key)
        wait_for(page, lambda: open_id(page) not in (None, judged[-1]))
        judged.append(settle(page))
    press_at(page, page.get_by_role("button", name="Take back"), 150)
    wait_for(page, lambda: open_id(page) == judged[1])
    settle(page)

    assert rows.execute(given, (judged,)).fetchall() == [(second,)]


def test_keys_work_on_other_layouts_and_after_a_switch(
    dashboard: RunningServer, page: Page, rows: psycopg.Connection
) -> None:
    """By letter where the layout has it (AZERTY), else by place (Cyrillic, Greek); also when a switch has the focus."""
    lead(page, dashboard.url, "/reviews?range=30d&decision=reject")
    page.get_by_role("button", name="Start").click()
    line = page.context.new_cdp_session(page)
    seen: list[str] = []
    for key, code in (("ф", "KeyA"), ("α", "KeyA"), ("a", "KeyQ")):
        wait_for(page, lambda: open_id(page) not in (None, *seen[-1:]))
        job_id = settle(page)
        reveal(page)
        page.locator("input[type=checkbox]").first.focus()

        line.send("Input.dispatchKeyEvent", {"type": "keyDown", "key": key, "code": code, "text": key})
        line.send("Input.dispatchKeyEvent", {"type": "keyUp", "key": key, "code": code})

        query = "SELECT verdict FROM reviews WHERE job_id = %s AND superseded_at IS NULL"
        wait_for(page, partial(holds, rows, query, job_id, "agree"))
        seen.append(job_id)
