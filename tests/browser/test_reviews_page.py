"""Reviews by keyboard, and what a sign-out leaves of a note."""

from functools import partial

import psycopg
import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_job_panel import JOB
from tests.browser.test_jobs_page import open_jobs, wait_for
from tests.support.axe import wait_until_still
from tests.support.servers import RunningServer


def open_id(page: Page) -> str | None:
    found = JOB.search(page.url)
    return None if found is None else found[1]


def settle(page: Page) -> str:
    """Wait until the job of the address can be judged, and return it: what is pressed before is for the one before."""
    # What hears the keys comes last; after a verdict the buttons do.
    expect(page.get_by_role("button", name="Keys ?")).to_be_visible()
    wait_until_still(page)
    wait_for(page, lambda: page.locator(f'[class*="st-key-take_back_{open_id(page)}"]').count() > 0)
    job_id = open_id(page)
    assert job_id is not None
    return job_id


def holds(rows: psycopg.Connection, query: str, job_id: str, value: str) -> bool:
    return rows.execute(query, (job_id,)).fetchall() == [(value,)]


def test_three_jobs_are_reviewed_by_keyboard_only(
    dashboard: RunningServer, page: Page, rows: psycopg.Connection
) -> None:
    """From a filter to the queue, start, reveal, three verdicts, one taken back: no hand leaves the keyboard."""
    open_jobs(page, dashboard.url)
    page.get_by_role("button", name="Review these").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Reviews")).to_be_visible()
    expect(page.get_by_role("button", name="Start")).to_be_visible()

    page.keyboard.press("j")
    seen: list[str] = []
    for key, verdict in (("a", "agree"), ("o", "overturn"), ("n", "unsure")):
        wait_for(page, lambda: open_id(page) not in (None, *seen[-1:]))
        job_id = open_id(page)
        assert job_id is not None
        expect(page.get_by_text(job_id)).to_be_visible()
        expect(page.get_by_role("button", name="Reveal")).to_be_visible()
        settle(page)
        page.keyboard.press("v")
        expect(page.get_by_role("region", name="Prompt").or_(page.get_by_text("None."))).to_be_visible()
        page.keyboard.press(key)
        query = "SELECT verdict FROM reviews WHERE job_id = %s AND superseded_at IS NULL"
        wait_for(page, partial(holds, rows, query, job_id, verdict))
        seen.append(job_id)
    assert len(set(seen)) == 3
    wait_for(page, lambda: open_id(page) not in (None, seen[-1]))
    settle(page)
    page.keyboard.press("u")
    wait_for(page, lambda: open_id(page) == seen[-1])

    left = rows.execute("SELECT job_id::text FROM reviews WHERE superseded_at IS NULL ORDER BY review_id").fetchall()
    assert left == [(job_id,) for job_id in seen[:2]]


def test_keys_are_letters_while_somebody_types_a_note(
    dashboard: RunningServer, page: Page, rows: psycopg.Connection
) -> None:
    """In the note A, O, U and E record nothing, and what was typed is there again after the page was left."""
    before = rows.execute("SELECT count(*) FROM reviews").fetchone()
    page.goto(f"{dashboard.url}/reviews?range=7d&decision=pass")
    page.get_by_role("button", name="Start").click()
    note = page.get_by_role("textbox", name="Note")
    note.click()
    page.keyboard.type("A queue of you and me, no end")
    page.get_by_role("heading", name="Reviews").click()
    wait_for(page, lambda: rows.execute("SELECT count(*) FROM review_drafts WHERE note <> ''").fetchone() == (1,))

    page.reload()

    expect(note).to_have_value("A queue of you and me, no end")
    assert rows.execute("SELECT count(*) FROM reviews").fetchone() == before


def test_a_verdict_that_cannot_be_recorded_is_said(
    dashboard: RunningServer, page: Page, rows: psycopg.Connection
) -> None:
    """Where the verdict cannot be written a sentence says so, and no trace reaches the log; then it can be given."""
    page.goto(f"{dashboard.url}/reviews?range=7d&decision=reject")
    page.get_by_role("button", name="Start").click()
    settle(page)
    rows.execute("ALTER TABLE reviews RENAME TO elsewhere")
    try:
        page.keyboard.press("a")
        expect(page.get_by_text("The database does not answer at the moment.")).to_be_visible()
    finally:
        rows.execute("ALTER TABLE elsewhere RENAME TO reviews")

    page.reload()
    job_id = open_id(page)
    assert job_id is not None
    settle(page)
    page.keyboard.press("a")

    query = "SELECT verdict FROM reviews WHERE job_id = %s AND superseded_at IS NULL"
    wait_for(page, partial(holds, rows, query, job_id, "agree"))
    assert "Traceback" not in dashboard.log


@pytest.mark.parametrize("delay", [0, 60, 200])
def test_a_verdict_is_on_the_job_that_was_on_screen(
    dashboard: RunningServer, page: Page, rows: psycopg.Connection, delay: int
) -> None:
    """Twice at once, held, clicked twice, at any delay of the line: one verdict on the job on screen, one job on."""
    (before,) = rows.execute("SELECT coalesce(max(review_id), 0) FROM reviews").fetchall()
    line = page.context.new_cdp_session(page)
    line.send("Network.enable")
    line.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": delay, "downloadThroughput": -1, "uploadThroughput": -1},
    )
    page.goto(f"{dashboard.url}/reviews?range=30d&decision=reject")
    page.get_by_role("button", name="Start").click()
    wait_for(page, lambda: open_id(page) is not None)
    seen: list[str] = []

    for way in ("twice", "held", "clicked", "double click"):
        job_id = open_id(page)
        assert job_id is not None
        expect(page.get_by_text(job_id)).to_be_visible()
        settle(page)
        press_twice(page, way)
        wait_for(page, lambda: open_id(page) not in (None, *seen, job_id))  # noqa: B023 - waited for here
        page.wait_for_timeout(500 + 2 * delay)
        seen.append(job_id)

    given = rows.execute("SELECT job_id::text FROM reviews WHERE review_id > %s ORDER BY review_id", before).fetchall()
    assert given == [(job_id,) for job_id in seen]


def press_twice(page: Page, way: str) -> None:
    """Give a verdict as somebody does whose finger or mouse stutters."""
    if way == "twice":
        page.keyboard.press("a")
        page.keyboard.press("a")
    elif way == "held":
        for _ in range(20):
            page.keyboard.down("a")
            page.wait_for_timeout(30)
        page.keyboard.up("a")
    else:
        box = page.get_by_role("button", name="Agree").last.bounding_box()
        assert box is not None
        place = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        if way == "double click":
            page.mouse.dblclick(*place)
        else:
            page.mouse.click(*place)
            page.mouse.click(*place)


@pytest.mark.parametrize(("key", "code"), [("ф", "KeyA"), ("α", "KeyA"), ("a", "KeyQ")])
def test_keys_work_on_other_layouts_and_after_a_switch(
    dashboard: RunningServer, page: Page, rows: psycopg.Connection, key: str, code: str
) -> None:
    """By letter where the layout has it (AZERTY), else by place (Cyrillic, Greek); also when a switch has the focus."""
    page.goto(f"{dashboard.url}/reviews?range=30d&decision=reject")
    page.get_by_role("button", name="Start").click()
    wait_for(page, lambda: open_id(page) is not None)
    job_id = open_id(page)
    assert job_id is not None
    settle(page)
    page.locator("input[type=checkbox]").first.focus()

    line = page.context.new_cdp_session(page)
    line.send("Input.dispatchKeyEvent", {"type": "keyDown", "key": key, "code": code, "text": key})

    query = "SELECT verdict FROM reviews WHERE job_id = %s AND superseded_at IS NULL"
    wait_for(page, partial(holds, rows, query, job_id, "agree"))
