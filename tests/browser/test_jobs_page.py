"""The jobs page, as somebody uses it."""

import hashlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import psycopg
import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect
from pydantic import SecretStr

from core.db.startup import open_databases
from core.settings import Settings
from dashboard.widgets.table import ROW_HEIGHT
from tests.browser.conftest import keeping_policy, new_profile, step_to
from tests.conftest import ROOT
from tests.support.asgi import make_key
from tests.support.commands import RunCore
from tests.support.servers import RunningServer
from tests.support.stillness import wait_until_still

BERLIN = ZoneInfo("Europe/Berlin")

# What some of the demo's prompts speak of.
SUBJECTS = (b"lighthouse", b"city made of paper", b"fox in the snow", b"two chairs by a window", "庭園".encode())

# What the server says is heard later: Chromium slows no socket that is open.
SLOW = """
const Plain = window.WebSocket;
window.WebSocket = class extends Plain {
  addEventListener(type, listener, options) {
    const late = (event) => setTimeout(() => listener(event), window.latency ?? 0);
    super.addEventListener(type, type === "message" ? late : listener, options);
  }
};
"""


def open_jobs(page: Page, url: str, query: str = "") -> None:
    page.goto(f"{url}/{query}")
    # A list, or a job that stands open.
    expect(page.locator(".st-key-download, .st-key-close_job").first).to_be_visible()
    # What hears the keys comes last.
    expect(page.get_by_role("button", name="Keyboard ?")).to_be_visible()
    # The first run learns how large the window is, and what it drew is laid out once more.
    wait_until_still(page)


@contextmanager
def open_tab(browser: Browser, *scripts: str) -> Iterator[Page]:
    """Open a tab for all tests of a file to which it is the same how its page was come to: each leads it on."""
    profile = new_profile(browser)
    for script in scripts:
        profile.add_init_script(script)
    with keeping_policy(profile):
        yield profile.new_page()
    profile.close()


def lead(tab: Page, url: str, target: str) -> None:
    """Lead the tab to a page, or load that where no test has loaded any yet."""
    if tab.url == "about:blank":
        tab.goto(url + target)
        # What hears the keys comes last.
        expect(tab.get_by_role("button", name="Keyboard ?")).to_be_visible()
        wait_until_still(tab)
    else:
        step_to(tab, target)


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    with open_tab(browser, SLOW) as opened:
        yield opened


def centre(place: Locator) -> tuple[float, float]:
    box = place.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def week_in_berlin() -> tuple[datetime, datetime]:
    """The bounds of "Last 7 days" for somebody in Berlin, in UTC."""
    today = datetime.now(BERLIN).date()
    start, end = (
        datetime.combine(day, datetime.min.time(), BERLIN).astimezone(UTC)
        for day in (today - timedelta(days=6), today + timedelta(days=1))
    )
    return start, end


def count(rows: psycopg.Connection, condition: str, start: datetime, end: datetime) -> int:
    query = f"SELECT count(*) FROM jobs WHERE created_at >= %s AND created_at < %s AND {condition}"
    found = rows.execute(query, (start, end)).fetchone()
    assert found is not None
    return int(found[0])


def test_opens_on_the_rejected_jobs_of_the_last_7_days(
    dashboard: RunningServer, tab: Page, rows: psycopg.Connection
) -> None:
    """The first page shows the last 7 days in the browser's zone, rejected jobs, and says how many they are."""
    rejected = count(rows, "is_prohibited", *week_in_berlin())

    open_jobs(tab, dashboard.url)

    expect(tab.get_by_role("link", name=f"Download CSV · {rejected:,} rows")).to_be_visible()
    expect(tab.get_by_text("There is no sign-in here")).to_be_visible()
    tab.get_by_role("button", name="More filters").click()
    # A menu that is closed before the server has heard that it was opened may be drawn open once more.
    wait_until_still(tab)
    expect(tab.get_by_text("(Europe/Berlin). In UTC:")).to_be_visible()
    tab.keyboard.press("Escape")
    tab.get_by_role("button", name="More downloads").click()
    wait_until_still(tab)
    expect(tab.get_by_text("Times in the file are in UTC.")).to_be_visible()
    tab.keyboard.press("Escape")


def test_a_row_opens_its_job_wherever_it_is_clicked(dashboard: RunningServer, tab: Page) -> None:
    """Not in its box alone; a double click leaves it open, and a click on another row leads to that one.

    So do the keys that the list of keys names.
    """
    for clicks in (1, 2):
        lead(tab, dashboard.url, "/")

        opened: list[str] = []
        for row in (2, 5):
            # The heading counts as one.
            y = row * ROW_HEIGHT + 17
            tab.get_by_test_id("stDataFrame").first.click(position={"x": 250, "y": y}, click_count=clicks)
            tab.wait_for_url(re.compile(f"job=(?!{opened[-1]})" if opened else "job="))
            wait_until_still(tab)
            expect(tab.get_by_role("button", name="Escalate")).to_be_visible()
            opened += re.findall("job=([0-9a-f-]{36})", tab.url)

        assert len(set(opened)) == 2, clicks

    lead(tab, dashboard.url, "/")
    tab.get_by_test_id("data-grid-canvas").first.focus()
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Shift+Space")
    tab.wait_for_url(re.compile("job="))


@pytest.fixture
def verify(run_core: RunCore, seeded_url: str) -> Callable[[Path], bytes]:
    """Return what the shell says of a file, which needs no process to say it."""

    def ask(file: Path) -> bytes:
        done = run_core("verify", str(file), DATABASE_URL=seeded_url)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return ask


def test_click_api_and_shell_give_the_same_bytes(
    dashboard: RunningServer, seeded_url: str, tab: Page, downloads: Path, verify: Callable[[Path], bytes]
) -> None:
    """One filter through all three doors: the files are identical, for a filtered export and for everything."""
    databases = open_databases(Settings(database_url=SecretStr(seeded_url)))
    key = make_key(databases, None)
    databases.close()
    start, end = (f"{bound:%Y-%m-%dT%H:%M:%SZ}" for bound in week_in_berlin())

    lead(tab, dashboard.url, "/")
    for link, decision in (("Download CSV", {"decision": "reject"}), ("Download all jobs of this period", {})):
        if not decision:
            tab.get_by_role("button", name="More downloads").click()
        with tab.expect_download() as clicked:
            tab.get_by_role("link", name=link).click()
        clicked.value.save_as(downloads / "clicked.csv")
        answer = httpx.get(
            f"{dashboard.url}/api/v1/jobs/export",
            params={"from": start, "to": end} | decision,
            headers={"Authorization": key},
        )
        options = [f"--{name}={value}" for name, value in ({"from": start, "to": end} | decision).items()]
        shell = run_core(seeded_url, "export", *options)

        assert answer.status_code == 200
        assert (downloads / "clicked.csv").read_bytes() == answer.content == shell
        assert len(shell) > 10_000
        assert b'"status": "complete"' in verify(downloads / "clicked.csv")
    tab.keyboard.press("Escape")


def test_download_takes_one_click_and_leaves_no_tab(dashboard: RunningServer, browser_with_tabs: Browser) -> None:
    """The tab that the link opens closes itself."""
    context = new_profile(browser_with_tabs)
    page = context.new_page()
    open_jobs(page, dashboard.url)

    with page.expect_download() as clicked:
        page.get_by_role("link", name="Download CSV").click()

    assert re.fullmatch(
        r"jobs_\d{4}-\d\d-\d\d_\d{4}-\d\d-\d\d_filtered_[0-9a-f]{8}\.csv", clicked.value.suggested_filename
    )
    expect(page.get_by_role("link", name="Download CSV")).to_be_visible()
    wait_for(page, lambda: context.pages == [page])


def test_the_receipt_of_a_download_stands_in_a_corner(dashboard: RunningServer, tab: Page, downloads: Path) -> None:
    """What was downloaded, whole or not, how much and with which hash; it leads to its receipt, and can be closed."""
    lead(tab, dashboard.url, "/")

    list_before = tab.get_by_test_id("stDataFrame").bounding_box()
    with tab.expect_download() as clicked:
        tab.get_by_role("link", name="Download CSV").click()
    clicked.value.save_as(downloads / "clicked.csv")
    file = (downloads / "clicked.csv").read_bytes()
    corner = tab.get_by_role("region", name="Receipt of the download")

    expect(corner.get_by_role("status")).to_have_text("✓ Download complete")
    expect(corner.locator("code")).to_have_text(hashlib.sha256(file).hexdigest())
    box = corner.bounding_box()
    assert box is not None
    assert (box["x"] + box["width"], box["y"] + box["height"]) == (1280 - 16, 1000 - 16)
    assert tab.get_by_test_id("stDataFrame").bounding_box() == list_before
    receipt = corner.get_by_role("link", name="Receipt").get_attribute("href")
    assert receipt is not None
    corner.get_by_role("button", name="Close the receipt").click()
    expect(corner).not_to_be_visible()
    step_to(tab, f"/{receipt}")
    expect(tab.get_by_text("The file was sent in full.")).to_be_visible()


def test_prompts_reach_the_browser_only_after_the_switch(dashboard: RunningServer, page: Page) -> None:
    """Hidden means not sent: no frame holds a prompt until "Show prompts" is on.

    The page loads from its own server alone, also with prompts on it.
    """
    received: list[bytes] = []
    asked: list[str] = []

    def record(frame: str | bytes) -> None:
        received.append(frame if isinstance(frame, bytes) else frame.encode())

    page.on("websocket", lambda socket: socket.on("framereceived", record))
    page.on("request", lambda request: asked.append(request.url))
    open_jobs(page, dashboard.url)
    page.get_by_role("button", name="Older").click()
    page.wait_for_url("**after=**")
    # The switch is for one page of the list, so that page must stand there.
    expect(page.get_by_role("button", name="Newer")).to_be_enabled()
    before = b"".join(received)

    page.get_by_text("Show prompts").click()
    expect(page.get_by_role("switch", name="Show prompts")).to_be_checked()
    wait_for(page, lambda: any(subject in b"".join(received) for subject in SUBJECTS))
    page.wait_for_load_state("networkidle")

    assert not [subject for subject in SUBJECTS if subject in before]
    assert b"Rejected" in before
    assert asked
    assert [url for url in asked if not url.startswith((dashboard.url, "data:", "blob:"))] == []


def test_filter_is_the_address_and_back_undoes_it(dashboard: RunningServer, tab: Page) -> None:
    """A preset and the form write the address once each; Back shows the view before.

    The address of a page deep in the list shows the same jobs in another browser tab.
    """
    lead(tab, dashboard.url, "/")
    first = tab.get_by_role("link", name="Download CSV").text_content()
    assert first

    tab.get_by_text("Last 30 days").click()
    tab.wait_for_url("**/?range=30d&decision=reject")
    tab.get_by_role("button", name="Passed").or_(tab.get_by_role("radio", name="Passed")).click()
    tab.get_by_role("button", name="Apply").click()
    tab.wait_for_url("**/?range=30d&decision=reject%2Cpass")
    expect(tab.get_by_role("button", name="Rejected or passed")).to_be_visible()
    tab.get_by_role("button", name="Older").click()
    tab.wait_for_url("**after=**")
    expect(tab.get_by_role("button", name="Newer")).to_be_enabled()

    colleague = tab.context.new_page()
    open_jobs(colleague, dashboard.url, "?" + tab.url.split("?")[1])
    expect(colleague.get_by_role("button", name="Newer")).to_be_enabled()
    assert colleague.url == tab.url
    colleague.get_by_role("button", name="Newer").click()
    expect(colleague.get_by_role("button", name="Newer")).to_be_disabled()
    colleague.close()

    tab.go_back()
    expect(tab.get_by_role("button", name="Newer")).to_be_disabled()
    tab.go_back()
    tab.wait_for_url("**/?range=30d&decision=reject")
    expect(tab.get_by_role("button", name="Rejected or passed")).not_to_be_visible()
    tab.go_back()

    expect(tab.get_by_role("link", name="Download CSV")).to_have_text(first)


def test_what_stands_behind_more_filters_follows_the_address(dashboard: RunningServer, tab: Page) -> None:
    """Whoever drops a filter's chip, goes back, takes another period or comes from another page applies what is seen.

    A browser forgets nothing of what it once showed in a closed popover, and would send it again.
    """
    lead(tab, dashboard.url, "/")
    client = tab.get_by_role("combobox", name="Client")
    chip = tab.get_by_role("button", name="Client")

    def apply() -> None:
        tab.get_by_role("button", name="Apply").click()

    def look(*, at: str) -> None:
        tab.get_by_role("button", name="More filters").click()
        wait_until_still(tab)
        expect(client).to_have_value(at)
        expect(tab.get_by_role("combobox", name="Time zone")).to_have_value("Europe/Berlin")
        tab.keyboard.press("Escape")
        expect(client).not_to_be_visible()

    tab.get_by_role("button", name="More filters").click()
    client.fill("demo-eastwind")
    tab.get_by_role("option", name="demo-eastwind").click()
    tab.get_by_role("heading", name="Jobs").click()
    apply()
    tab.wait_for_url("**client_id=demo-eastwind")
    expect(chip).to_be_visible()
    chip.click()
    tab.wait_for_url("**/?range=7d&decision=reject")
    expect(chip).not_to_be_visible()
    tab.get_by_role("button", name="Passed").click()
    apply()
    tab.wait_for_url("**decision=reject%2Cpass")
    assert "client_id" not in tab.url
    look(at="")

    tab.go_back()
    tab.go_back()
    expect(chip).to_be_visible()
    # Nor does a look at the same filter once more empty what was not opened.
    tab.get_by_role("button", name="Refresh").click()
    wait_until_still(tab)
    look(at="demo-eastwind")
    tab.get_by_text("Last 30 days").click()
    tab.wait_for_url("**/?range=30d&decision=reject&client_id=demo-eastwind")
    tab.get_by_test_id("stTopNav").get_by_role("link", name="Exports").click()
    expect(tab.get_by_role("heading", name="Verify a file")).to_be_visible()
    tab.get_by_test_id("stTopNav").get_by_role("link", name="Jobs").click()
    expect(tab.get_by_role("link", name="Download CSV")).to_be_visible()
    look(at="")


def test_a_field_that_is_drawn_late_shows_what_the_address_says(dashboard: RunningServer, page: Page) -> None:
    """On a slow line the code that draws a field comes after the page was run once more; nothing is dropped by that."""
    held: list[Route] = []
    page.route("**/TextArea.*.js", lambda route: held.append(route))
    page.route("**/Selectbox.*.js", lambda route: held.append(route))
    open_jobs(page, dashboard.url, "?range=7d&decision=reject&client_id=demo-atelier&q=LIGHTHOUSE&tz=Asia%2FTokyo")
    page.get_by_role("button", name="More filters").click()
    wait_for(page, lambda: len(held) == 2)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Refresh").click()
    wait_until_still(page)
    page.get_by_role("button", name="More filters").click()
    for code in held:
        code.continue_()

    expect(page.get_by_role("textbox", name="Prompt contains")).to_have_value("LIGHTHOUSE")
    expect(page.get_by_role("combobox", name="Time zone")).to_have_value("Asia/Tokyo")
    # What is shown can be cleared: none of it is a value that the field falls back to.
    client = page.get_by_test_id("stSelectbox").filter(has=page.get_by_role("combobox", name="Client"))
    expect(client.get_by_role("combobox")).to_have_value("demo-atelier")
    client.get_by_role("button", name="Clear").click()
    page.get_by_role("textbox", name="Prompt contains").fill("")
    page.get_by_role("button", name="Passed").click()
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url("**/?range=7d&decision=reject%2Cpass&tz=Asia%2FTokyo")


def test_what_is_hidden_is_said_as_it_was_chosen_also_after_another_page(dashboard: RunningServer, tab: Page) -> None:
    """The choice is the same on all pages, and its control says so when somebody comes back."""
    # Whether such a job is among the newest depends on the day.
    lead(tab, dashboard.url, "/?range=30d&category=underage")

    def close() -> None:
        # Until what was asked is answered, the menu may be drawn anew beneath a key or a click.
        wait_until_still(tab)
        tab.keyboard.press("Escape")
        wait_until_still(tab)

    def choose(wanted: str) -> None:
        tab.get_by_role("button", name="Hidden text").click()
        tab.get_by_role("radiogroup").get_by_text(wanted, exact=True).click()
        expect(tab.get_by_role("radio", name=wanted)).to_be_checked()
        close()

    choose("Hide underage only")
    expect(tab.get_by_text("Hidden: flagged underage").first).to_be_attached()
    tab.get_by_test_id("stTopNav").get_by_role("link", name="Reviews").click()
    expect(tab.get_by_role("button", name="Start")).to_be_visible()
    tab.get_by_test_id("stTopNav").get_by_role("link", name="Jobs").click()
    expect(tab.get_by_role("link", name="Download CSV")).to_be_visible()
    tab.get_by_role("button", name="Hidden text").click()

    expect(tab.get_by_role("radio", name="Hide underage only")).to_be_checked()
    close()
    choose("Hide flagged")


def test_a_choice_of_a_menu_that_was_just_closed_and_opened_counts(dashboard: RunningServer, tab: Page) -> None:
    """Where the browser has not heard yet that it was closed, too: the list and the menu say what was chosen."""
    lead(tab, dashboard.url, "/?range=30d&decision=reject")
    menu, hidden = tab.get_by_role("button", name="Hidden text"), tab.get_by_role("radio", name="Hide all")
    menu.click()
    expect(hidden).not_to_be_checked()
    wait_until_still(tab)

    tab.evaluate("window.latency = 600")
    tab.keyboard.press("Escape")
    menu.click()
    tab.get_by_role("radiogroup").get_by_text("Hide all", exact=True).click()
    # A busy browser hears a click late, and asks later still: an answer under way would be overtaken by the next.
    for _ in range(2):
        tab.wait_for_timeout(700)
        wait_until_still(tab)
    tab.evaluate("window.latency = 0")

    expect(hidden).to_be_checked()
    tab.get_by_role("radiogroup").get_by_text("Hide flagged", exact=True).click()
    tab.keyboard.press("Escape")
    wait_until_still(tab)
    tab.reload()
    menu.click()
    expect(tab.get_by_role("radio", name="Hide flagged")).to_be_checked()
    tab.keyboard.press("Escape")


def test_a_range_that_is_wrong_gets_a_sentence_and_a_day_stays_whole(dashboard: RunningServer, tab: Page) -> None:
    """The form says what is wrong with the days, and the view stays as it was; no day can be left out."""
    lead(tab, dashboard.url, "/")
    address = tab.url

    type_day(tab, "First day", f"{datetime.now(BERLIN) + timedelta(days=30):%Y-%m-%d}")
    tab.get_by_role("button", name="Apply").click()
    expect(tab.get_by_text("The first day is after the last: swap them.")).to_be_visible()
    type_day(tab, "First day", "2020-01-01")
    tab.get_by_role("button", name="Apply").click()
    expect(tab.get_by_text("That is more than 366 days: choose fewer.")).to_be_visible()
    days = tab.get_by_test_id("stDateInput")
    expect(days.get_by_role("button", name=re.compile("clear", re.IGNORECASE))).to_have_count(0)
    days.first.get_by_role("spinbutton").first.click()
    tab.keyboard.press("Backspace")
    tab.keyboard.press("Backspace")
    tab.get_by_role("button", name="Apply").click()
    wait_until_still(tab)
    expect(days.first).to_have_text(re.compile("2020-01-01"))

    assert tab.url == address


def test_the_log_holds_no_trace_and_nothing_that_was_asked(dashboard: RunningServer) -> None:
    """After all of this the server's log has neither traces nor tickets nor prompts."""
    assert "Traceback" not in dashboard.log
    assert "ticket=" not in dashboard.log
    assert "lighthouse" not in dashboard.log


def type_day(page: Page, label: str, day: str) -> None:
    """Type a day into a date field as a person does, segment by segment."""
    field = page.get_by_test_id("stDateInput").filter(has_text=label)
    field.get_by_role("spinbutton").first.click()
    for part in day.split("-"):
        page.keyboard.type(part)


def wait_for(page: Page, condition: Callable[[], bool]) -> None:
    for _ in range(200):
        if condition():
            return
        page.wait_for_timeout(100)
    raise AssertionError("it did not happen")


def run_core(url: str, *arguments: str) -> bytes:
    done = subprocess.run(
        [sys.executable, "-m", "core", *arguments],
        cwd=ROOT,
        env={"DATABASE_URL": url, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=True,
        timeout=60,
    )
    return done.stdout


def test_the_switch_for_spreadsheets_is_kept_for_the_person(
    dashboard: RunningServer, tab: Page, rows: psycopg.Connection
) -> None:
    """Switched on, each download of the page has the guard and says so, also the next time.

    The link is longer then, and the list stays where it is.
    """
    lead(tab, dashboard.url, "/?range=30d")
    link = tab.get_by_role("link", name="Download CSV")
    expect(link).not_to_contain_text("guarded")
    wait_until_still(tab)
    top = tab.get_by_test_id("stDataFrame").evaluate("list => list.getBoundingClientRect().top")

    def switch(*, on: bool) -> None:
        tab.get_by_role("button", name="More downloads").click()
        tab.get_by_text("Safe to open in a spreadsheet").click()
        expect(tab.get_by_role("switch", name="Safe to open in a spreadsheet")).to_be_checked(checked=on)
        tab.keyboard.press("Escape")

    # The tools of the list, which show while the pointer is on it, are not in the way of what stands above.
    tab.get_by_test_id("stDataFrame").hover()
    tab.get_by_role("button", name="More downloads").click()
    choice = tab.get_by_text("Safe to open in a spreadsheet")
    wait_until_still(tab)
    # By the mouse alone: what describes and waits is slower than a hand.
    with tab.expect_download() as downloaded:
        for place in (centre(choice), centre(link)):
            tab.mouse.click(*place)

    # The switch shows at once what was chosen; the link says it as soon as its file is another one, and waits for it.
    expect(link).to_contain_text("guarded")
    text = downloaded.value.path().read_text(encoding="utf-8-sig")
    assert "'=" in text or "'-" in text or "'+" in text
    kept = rows.execute("SELECT preferences -> 'spreadsheet_safe' FROM people WHERE person = 'user:demo'").fetchone()
    assert kept == (True,)
    tab.reload()
    expect(link).to_contain_text("guarded")
    wait_until_still(tab)
    assert tab.get_by_test_id("stDataFrame").evaluate("list => list.getBoundingClientRect().top") == top
    lead(tab, dashboard.url, "/?range=30d&decision=pass")
    tab.get_by_role("button", name="More downloads").click()
    everything = tab.get_by_role("link", name="Download all jobs of this period · guarded")
    whole = tab.request.get(f"{dashboard.url}{everything.get_attribute('href')}").body()
    assert b"'=" in whole or b"'-" in whole or b"'+" in whole
    tab.keyboard.press("Escape")
    switch(on=False)
    expect(link).not_to_contain_text("guarded")
