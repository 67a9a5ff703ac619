"""The keys page, as an admin uses it."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import step_to
from tests.browser.test_jobs_page import lead, open_tab, wait_for
from tests.conftest import ROOT
from tests.support.servers import RunningServer, serving_dashboard
from tests.support.serving import free_port
from tests.support.stillness import wait_until_still

EXPORT = "/api/v1/jobs/export?from=2026-04-01T00:00:00Z&to=2026-04-02T00:00:00Z"
# A dialog of the Jobs page, made as all are (`dashboard/session/admission.py`), and an answer not chosen at first.
DIALOG, ANSWER = "Draw a sample", "In proportion"
HOSTILE = "<img src=//foreign.example/a> **b** $x^2$ :material/key: ![c](http://foreign.example/d.png)"


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    """A tab for the tests to which it is the same how its page was come to."""
    with open_tab(browser) as opened:
        yield opened


def open_keys(page: Page, url: str) -> None:
    page.goto(f"{url}/keys")
    wait_until_still(page)
    expect(page.get_by_role("heading", name="Keys")).to_be_visible()


def create(page: Page, name: str, client: str | None) -> str:
    """Create a key in the page and return it as the dialog shows it."""
    page.get_by_role("button", name="Create key").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill(name)
    if client is None:
        dialog.get_by_text("All clients", exact=True).click()
        expect(dialog.get_by_label("Client id")).to_have_count(0)
    else:
        type_client(page, client)
        expect(dialog.get_by_text("has no jobs so far")).to_have_count(0)
    dialog.get_by_role("button", name="Create key").click()
    return shown_key(page)


def type_client(page: Page, client: str) -> None:
    field = page.get_by_role("dialog").get_by_label("Client id")
    field.fill(client)
    field.press("Enter")
    expect(field).to_have_value(client)


def shown_key(page: Page) -> str:
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("This is the key.")).to_be_visible()
    # Nothing of the questions is left, of which a second press would make another key.
    expect(dialog.get_by_role("button", name="Cancel")).to_have_count(0)
    code = dialog.get_by_test_id("stCode").first
    expect(code).to_have_text(re.compile(r"^fp_\w{12}_\w{43}_\w{6}$"))
    return (code.text_content() or "").strip()


def choose(page: Page, key_id: str) -> None:
    page.get_by_role("combobox", name="Key to rotate or revoke").click()
    page.get_by_role("option", name=f"fp_{key_id}_…").click()
    expect(page.get_by_role("button", name="Revoke")).to_be_enabled()


def status(url: str, key: str) -> int:
    return httpx.get(url + EXPORT, headers={"Authorization": f"Bearer {key}"}).status_code


def test_a_key_is_shown_once_and_opens_until_it_is_revoked(
    dashboard: RunningServer, page: Page, rows: psycopg.Connection
) -> None:
    """Made in the page, a key opens the API; once the dialog is closed it is nowhere; revoked, it opens nothing.

    What the dialog says to type downloads jobs, with the key pasted where it is asked for. Who is asked whether to
    revoke a key may say no.
    """
    frames: list[bytes] = []
    page.on(
        "websocket",
        lambda socket: socket.on(
            "framereceived", lambda frame: frames.append(frame if isinstance(frame, bytes) else frame.encode())
        ),
    )
    open_keys(page, dashboard.url)

    key = create(page, "browser test", "demo-eastwind")
    _, key_id, secret, _ = key.split("_")
    commands = page.get_by_role("dialog").get_by_test_id("stCode").nth(1).text_content() or ""
    downloaded = subprocess.run(
        ["bash", "-c", commands.replace("jobs.csv", "-")],
        cwd=ROOT,
        input=f"{key}\n".encode(),
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout
    opened = status(dashboard.url, key)
    times_sent = b"".join(frames).count(secret.encode())
    frames.clear()
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Create key")).to_have_count(1)
    wait_for(page, lambda: key_id.encode() in b"".join(frames))
    after = page.content()
    page.reload()
    expect(page.get_by_role("heading", name="Keys")).to_be_visible()
    choose(page, key_id)
    reloaded = page.content()

    assert downloaded.startswith(b"\xef\xbb\xbfjob_id,")
    # A client has more jobs on some days than on others.
    assert downloaded.count(b"\n") > 10
    assert opened == 200
    assert times_sent == 1
    assert "$FENCEPOST_KEY" in commands
    assert dashboard.url in commands
    assert secret not in commands
    assert secret.encode() not in b"".join(frames)
    assert secret not in after
    assert secret not in reloaded
    assert secret not in page.url
    assert secret not in dashboard.log

    page.get_by_role("button", name="Revoke").click()
    page.get_by_role("button", name="Keep it").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert status(dashboard.url, key) == 200
    page.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke key").click()
    expect(page.get_by_role("dialog")).to_have_count(0)

    assert status(dashboard.url, key) == 401
    assert rows.execute(
        "SELECT event, actor FROM audit_events WHERE subject = %s ORDER BY seq", [key_id]
    ).fetchall() == [("key-created", "user:demo"), ("key-revoked", "user:demo")]


def test_the_focus_comes_back_from_a_dialog(dashboard: RunningServer, tab: Page) -> None:
    """Where a dialog is closed the focus is on what opened it, or where that is not to be used any more beside it.

    Left with its page it leads to the next one, and to none of what is there.
    """
    lead(tab, dashboard.url, "/keys")
    # Where no other key is left, there is none to choose either.
    for name in ("kept", "focused"):
        key_id = create(tab, name, None).split("_")[1]
        tab.get_by_role("button", name="Done").press("Enter")
        expect(tab.get_by_role("dialog")).to_have_count(0)
        expect(tab.get_by_role("button", name="Create key")).to_be_focused()
        wait_until_still(tab)
    choose(tab, key_id)
    wait_until_still(tab)

    tab.get_by_role("button", name="Revoke").press("Enter")
    tab.get_by_role("button", name="Keep it").press("Enter")
    expect(tab.get_by_role("dialog")).to_have_count(0)
    expect(tab.get_by_role("button", name="Revoke")).to_be_focused()
    wait_until_still(tab)
    tab.get_by_role("button", name="Revoke").press("Enter")
    tab.get_by_role("button", name="Revoke key").press("Enter")

    expect(tab.get_by_role("dialog")).to_have_count(0)
    expect(tab.get_by_role("button", name="Revoke")).to_be_disabled()
    expect(tab.get_by_role("combobox", name="Key to rotate or revoke")).to_be_focused()

    # Nothing runs when this one is closed.
    opener = tab.get_by_role("button", name="Keyboard ?")
    opener.press("Enter")
    expect(tab.get_by_role("dialog")).to_be_visible()
    wait_until_still(tab)
    opener.evaluate("button => { button.disabled = true; }")
    tab.keyboard.press("Escape")

    expect(tab.get_by_role("dialog")).to_have_count(0)
    expect(tab.get_by_role("button", name="Create key")).to_be_focused()

    tab.keyboard.press("Enter")
    expect(tab.get_by_role("dialog")).to_be_visible()
    step_to(tab, "/audit")

    expect(tab.get_by_role("heading", name="Audit")).to_be_visible()
    expect(tab.get_by_role("dialog")).to_have_count(0)
    expect(tab.get_by_role("main")).to_be_focused()


def test_a_wrong_press_makes_no_key_and_two_make_one(
    pytestconfig: pytest.Config, dashboard: RunningServer, tab: Page, rows: psycopg.Connection
) -> None:
    """A key without a name is not made; the dialog says why and keeps what was chosen. Given up, it makes no key.

    A second press, while the first one is at work or after it, makes no key that nobody has seen. Where the button was
    there is no dialog any more: the key takes less room than the questions.
    """
    before = rows.execute("SELECT count(*) FROM api_keys").fetchone()
    lead(tab, dashboard.url, "/keys")
    tab.get_by_role("button", name="Create key").first.click()
    dialog = tab.get_by_role("dialog")
    type_client(tab, "acme")

    dialog.get_by_role("button", name="Create key").click()

    expect(dialog.get_by_text("Name is empty: say what the key is for.")).to_be_visible()
    expect(dialog.get_by_label("Client id")).to_have_value("acme")
    dialog.get_by_label("Name").fill("given up")
    tab.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
    assert rows.execute("SELECT count(*) FROM api_keys").fetchone() == before

    for pause in (30, 120, 400) if pytestconfig.getoption("delays") else (120, 400):
        tab.get_by_role("button", name="Create key").first.click()
        dialog = tab.get_by_role("dialog")
        dialog.get_by_label("Name").fill(f"pressed twice, {pause} ms")
        # Whatever other tests have made, it is none of this one's.
        type_client(tab, "pressed-twice")
        expect(dialog.get_by_text("has no jobs so far")).to_be_visible()
        # What was filled in draws the dialog anew, and its button has no place for a moment.
        wait_until_still(tab)
        button = dialog.get_by_role("button", name="Create key").bounding_box()
        assert button is not None
        for _ in range(2):
            tab.mouse.click(button["x"] + 20, button["y"] + 10)
            tab.wait_for_timeout(pause)

        key = shown_key(tab)
        tab.keyboard.press("Escape")
        tab.mouse.click(5, button["y"])

        assert shown_key(tab) == key
        tab.get_by_role("button", name="Done").click()
        expect(tab.get_by_role("dialog")).to_have_count(0)
        made = rows.execute("SELECT key_id FROM api_keys WHERE name = %s", [f"pressed twice, {pause} ms"]).fetchall()
        assert made == [(key.split("_")[1],)]


def test_a_key_is_rotated_in_the_page(dashboard: RunningServer, page: Page) -> None:
    """The new key opens, the old one ends at once where that was chosen, and "Done" closes the dialog.

    HTML, Markdown and images in a name are text wherever the name is shown, and ask no foreign host.
    """
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_keys(page, dashboard.url)
    old = create(page, HOSTILE, None)
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_role("dialog")).to_have_count(0)

    choose(page, old.split("_")[1])
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("dialog").get_by_text(HOSTILE)).to_be_visible()
    page.get_by_role("button", name="Keep it").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Rotate").click()
    expect(page.get_by_role("dialog").get_by_text(HOSTILE)).to_be_visible()
    page.get_by_role("dialog").get_by_text("It ends at once").click()
    page.get_by_role("button", name="Rotate key").click()
    new = shown_key(page)
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.wait_for_load_state("networkidle")

    assert old != new
    assert (status(dashboard.url, old), status(dashboard.url, new)) == (401, 200)
    assert asked
    assert [url for url in asked if not url.startswith((dashboard.url, "data:", "blob:"))] == []


def test_pages_that_were_open_while_their_server_began_anew_hear_a_key_and_keep_a_dialog(
    seeded_url: str, page: Page, tmp_path: Path
) -> None:
    """Their new sessions know no part of the pages, and what is pressed asks for no more than a part.

    A dialog keeps what was filled in. What is pressed next counts, too; and once it is closed it stays closed.
    """
    port = free_port()
    tab = page.context.new_page()
    dialog = tab.get_by_role("dialog", name=DIALOG)
    with serving_dashboard(seeded_url, tmp_path, port=port) as before:
        open_keys(page, before.url)
        wait_until_still(page)
        tab.goto(before.url)
        wait_until_still(tab)
        tab.get_by_role("button", name=DIALOG).click()
        name = dialog.get_by_label("Name", exact=True)
        name.fill("kept")
        name.press("Tab")
        wait_until_still(tab)
        # All of the page is there, also what its browser fetches late, and keys are heard.
        page.wait_for_function("() => document.documentElement.translate === false")
        page.wait_for_load_state("networkidle")
    for each in (page, tab):
        expect(each.get_by_test_id("stApp")).not_to_have_attribute("data-test-connection-state", "CONNECTED")

    with serving_dashboard(seeded_url, tmp_path, port=port):
        for each in (page, tab):
            each.wait_for_selector("[data-testid=stApp][data-test-connection-state=CONNECTED]")
            expect(each.get_by_test_id("stApp")).to_have_attribute("data-test-connection-state", "CONNECTED")
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
        dialog.get_by_text(ANSWER).click()
        wait_until_still(tab)
        expect(name).to_have_value("kept")
        expect(dialog.get_by_role("radio", name=ANSWER)).to_be_checked()
        tab.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        tab.keyboard.press("r")
        wait_until_still(tab)
        expect(dialog).to_have_count(0)
