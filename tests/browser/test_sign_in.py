"""Sign-in with a real OpenID provider, in a real browser."""

import base64
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import httpx
import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from dashboard.server.sign_in_failure import BACKCHANNEL_PATH
from tests.browser.conftest import PATIENCE, clear, keep_processes, new_profile, step_to
from tests.support.axe import find_faults
from tests.support.provider import Provider, running_provider
from tests.support.rows import insert_job
from tests.support.servers import RunningServer, serving_warm
from tests.support.serving import free_port
from tests.support.stillness import wait_until_still
from tests.support.waiting import wait_for

STAFF = "staff@example.com"
ADMIN = "admin@example.com"
PEOPLE = {"FENCEPOST_STAFF": "staff@example.com,@team.example.com,admin@example.com", "FENCEPOST_ADMINS": ADMIN}

THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

Serve = Callable[..., AbstractContextManager[RunningServer]]


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with running_provider() as running:
        yield running


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture
def serve(provider: Provider, shared_url: str, tmp_path: Path, port: int) -> Serve:
    """Serve Fencepost outside demo mode, at the same address each time.

    So a browser's cookies stay good, and it need not load anew what it has loaded for another test.
    """
    return serving_with(provider, shared_url, tmp_path, port)


@pytest.fixture(scope="module")
def door(provider: Provider, shared_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server for all tests that need no settings of their own: each signs in people of its own, in its browser."""
    serve = serving_with(provider, shared_url, tmp_path_factory.mktemp("door"), free_port())
    with serve(FENCEPOST_STEP_UP_MINUTES="30") as running:
        yield running


@pytest.fixture(scope="module")
def another_profile(browser: Browser) -> Iterator[BrowserContext]:
    opened = keep_processes(new_profile(browser))
    yield opened
    opened.close()


@pytest.fixture
def elsewhere(another_profile: BrowserContext) -> Iterator[BrowserContext]:
    """The browser of somebody else, or on another machine."""
    yield another_profile
    clear(another_profile)


@pytest.fixture
def rows(shared_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(shared_url, autocommit=True) as connection:
        connection.execute("TRUNCATE jobs, moderation_logs, reviews, review_claims, review_drafts")
        yield connection


def serving_with(provider: Provider, database_url: str, folder: Path, port: int) -> Serve:
    secrets = folder / "secrets.toml"
    secrets.write_text(provider.secrets_toml(f"http://localhost:{port}/oauth2callback"))

    @contextmanager
    def serve_again(**environment: str) -> Iterator[RunningServer]:
        variables = {
            "DATABASE_URL": database_url,
            "STREAMLIT_SERVER_ADDRESS": "localhost",
            "STREAMLIT_SERVER_PORT": str(port),
            "STREAMLIT_SECRETS_FILES": str(secrets),
        }
        with serving_warm(port, folder, PEOPLE | variables | environment) as running:
            yield RunningServer(f"http://localhost:{port}", running.process, running.log_file)

    return serve_again


def sign_in(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_role("button", name="Sign in").click()


def come_in(page: Page, provider: Provider, url: str) -> None:
    """Sign in as the button of the page at `url` does, which is not drawn for that, and come back to that page."""
    page.goto(provider.way_in("http://" + urlsplit(url).netloc), referer=url)


def come_in_by_hand(provider: Provider, url: str, address: str, *, user_agent: str = "hand", **claims: Any) -> None:
    """Sign somebody in who draws no page."""
    provider.is_here(address, **claims)
    with httpx.Client(follow_redirects=True, trust_env=False, headers={"User-Agent": user_agent}) as hand:
        assert hand.get(provider.way_in(url), headers={"Referer": url}).status_code == 200


def expect_in(page: Page, address: str) -> None:
    # What is looked for too soon, and not there, is told with all that is, which takes longer than to wait for it.
    page.get_by_text(address, exact=True).wait_for()
    wait_until_still(page)
    expect(page.get_by_role("heading", name="Jobs")).to_be_visible()
    expect(page.get_by_text(address, exact=True)).to_be_visible()


def expect_out(page: Page) -> None:
    page.get_by_text("Sign in", exact=True).wait_for()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.get_by_role("heading", name="Jobs")).not_to_be_visible()


def expect_ended(page: Page) -> None:
    """Expect that a page which nobody touches tells the end of its session; it looks every few seconds."""
    told = page.get_by_text("Your session has ended")
    told.wait_for(timeout=2 * PATIENCE)
    expect(told).to_be_visible()


def events(rows: psycopg.Connection, address: str) -> list[str]:
    """Return what happened at the door to somebody, in order."""
    found = rows.execute(
        "SELECT event FROM audit_events WHERE event IN ('signed-in', 'signed-out', 'refused') AND address = %s"
        " ORDER BY seq",
        (address,),
    )
    return [event for (event,) in found]


def open_sessions(rows: psycopg.Connection, address: str) -> int:
    found = rows.execute("SELECT FROM sessions WHERE address = %s AND ended_at IS NULL", (address,))
    return len(found.fetchall())


def test_nobody_is_shown_anything_before_they_sign_in(
    door: RunningServer, page: Page, rows: psycopg.Connection
) -> None:
    """Without a session there is a button, no page, and not one query of jobs, at the start and at a link.

    What there is keeps the rules of axe-core in both themes. That no page asks anything: `tests/rules/test_pages.py`.
    """
    insert_job(rows)
    before = rows.execute("SELECT count(*) FROM audit_events").fetchone()
    faults = []
    for path, theme in zip(("/?decision=reject", "/keys"), THEMES, strict=True):
        page.emulate_media(color_scheme=theme)
        page.goto(door.url + path)
        expect_out(page)
        faults += find_faults(page)

    assert faults == []
    assert rows.execute("SELECT count(*) FROM audit_events").fetchone() == before


def test_a_provider_that_is_away_is_said(serve: Serve, provider: Provider, page: Page, tmp_path: Path) -> None:
    """Whoever cannot be sent to the provider reads what to do; the log has no trace, and nothing of an address.

    So does whoever the provider sends back without letting them in.
    """
    secrets = tmp_path / "secrets.toml"
    secrets.write_text(secrets.read_text().replace(provider.issuer, f"http://localhost:{free_port()}"))
    with serve() as server:
        sign_in(page, server.url)
        expect(page.get_by_role("heading", name="Sign-in is not possible at the moment")).to_be_visible()
        answer = httpx.get(
            f"{server.url}/oauth2callback", params={"error": "access_denied", "error_description": "made-up words"}
        )
    log = server.log

    assert answer.status_code == 400
    assert "did not let you in" in answer.text
    assert "made-up" not in answer.text
    assert "Error during OAuth authorization redirect." in log
    assert "Error during authentication" in log
    assert "Traceback" not in log
    assert "made-up" not in log
    assert "access_denied" not in log


def test_staff_come_in_by_the_provider_and_go_by_a_button(
    door: RunningServer, provider: Provider, page: Page, context: BrowserContext, rows: psycopg.Connection
) -> None:
    """Whoever is on the list sees jobs and their own address; after signing out the provider knows it, too.

    The browser has an id and nothing that the provider said, however much that is; a copy of it opens nothing after.
    """
    somebody = "staff@team.example.com"
    provider.is_here(somebody, groups=["a group of many"] * 4_000)
    before = provider.signed_out
    sign_in(page, door.url)
    expect_in(page, somebody)
    expect(page.get_by_role("link", name="Exports")).to_be_visible()
    expect(page.get_by_role("link", name="Keys")).not_to_be_visible()
    expect(page.get_by_text("No jobs match.")).to_be_visible()
    cookies = context.cookies()

    page.get_by_role("button", name="Sign out").click()
    expect_out(page)
    context.add_cookies([{**cookie} for cookie in cookies])  # type: ignore[typeddict-item]
    page.goto(door.url)
    expect_out(page)

    assert {cookie["name"] for cookie in cookies} - {"fencepost_window"} == {
        *("fencepost_browser", "fencepost_session", "_streamlit_xsrf")
    }
    assert sum(len(cookie["value"]) for cookie in cookies) < 400
    assert provider.signed_out == before + 1
    assert events(rows, somebody) == ["signed-in", "signed-out"]
    looked = "SELECT DISTINCT actor FROM audit_events WHERE event = 'jobs-listed' AND address = %s"
    assert rows.execute(looked, (somebody,)).fetchall() == [(f"user:{provider.issuer}|id of {somebody}",)]


def test_people_end_their_sessions_and_admins_everybodys(
    door: RunningServer,
    provider: Provider,
    page: Page,
    elsewhere: BrowserContext,
    rows: psycopg.Connection,
) -> None:
    """One's own sessions are listed beside the sign-out; which is ended there is out within seconds, others are not.

    An admin ends somebody else's.
    """
    other = elsewhere.new_page()
    provider.is_here(ADMIN)
    come_in(page, provider, door.url)
    expect_in(page, ADMIN)
    for name in ("Exports", "Keys", "Audit"):
        expect(page.get_by_role("link", name=name)).to_be_visible()
    come_in(other, provider, door.url)
    expect_in(other, ADMIN)

    page.get_by_role("button", name="Sessions").click()
    expect(page.get_by_text("This one")).to_be_visible()
    assert find_faults(page) == []
    page.get_by_role("dialog").get_by_role("button", name="End", exact=True).click()
    expect_ended(other)

    somebody = "ended@team.example.com"
    come_in_by_hand(provider, door.url, somebody, user_agent=page.evaluate("navigator.userAgent"))
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Sessions").click()
    page.get_by_role("combobox", name="Session of somebody else").fill("ended@team")
    page.get_by_role("option", name=re.compile("ended@team.example.com.*Chrome on Linux")).click()
    assert open_sessions(rows, somebody) == 1
    page.get_by_role("button", name="End this session").click()
    wait_for(lambda: open_sessions(rows, somebody) == 0, "the end of the session")

    # For keys the sign-in must not be long ago; after another one they are there.
    older = "UPDATE sessions SET authenticated_at = authenticated_at - interval '1 hour' WHERE address = %s"
    rows.execute(older, (ADMIN,))
    provider.is_here(ADMIN, auth_time=int(time.time()) - 3600)
    step_to(page, "/keys")
    page.get_by_role("button", name="Sign in again").click()
    expect(page.get_by_role("button", name="Create key")).to_be_visible()
    # By its address, too, the way out ends the session, and not only the cookie.
    before = open_sessions(rows, ADMIN)
    page.goto(f"{door.url}/auth/logout")
    expect_out(page)
    assert open_sessions(rows, ADMIN) == before - 1


def test_rights_that_are_given_and_taken_reach_open_pages(
    door: RunningServer, provider: Provider, page: Page, elsewhere: BrowserContext, rows: psycopg.Connection
) -> None:
    """An admin gives a stranger the jobs of one client on the page People, then more, then nothing any more.

    The stranger's open page follows within seconds, and has no right that was not given.
    """
    somebody, now = "partner@elsewhere.example", datetime.now(UTC)
    for client in ("acme", "other"):
        insert_job(rows, client_id=client, created_at=now, prompt=f"of {client}")
    rows.execute("TRUNCATE rights")
    their = elsewhere.new_page()
    provider.is_here(somebody)
    come_in(their, provider, door.url)
    their.get_by_text("this account has no access").wait_for(timeout=2 * PATIENCE)
    expect(their.get_by_text("this account has no access")).to_be_visible()
    provider.is_here(ADMIN)
    come_in(page, provider, f"{door.url}/people")
    page.get_by_text("No rights are given yet").wait_for()

    expect(page.get_by_text("No rights are given yet")).to_be_visible()
    page.get_by_role("button", name="Give rights").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox", name="Address or @domain").fill(somebody)
    page.get_by_role("option", name=somebody).click()
    dialog.get_by_role("combobox", name="They may").fill("Read")
    page.get_by_role("option", name="Read – ").click()
    page.keyboard.press("Escape")
    dialog.get_by_text("Some clients", exact=True).click()
    dialog.get_by_role("combobox", name="Clients").fill("acme")
    page.get_by_role("option", name="acme").click()
    page.keyboard.press("Escape")
    dialog.get_by_role("button", name="Give rights").click()
    expect(dialog).to_have_count(0)
    faults = find_faults(page)
    their.reload()
    expect_in(their, somebody)
    expect(their.get_by_text("1 job").first).to_be_visible()
    expect(their.get_by_role("link", name="Download CSV")).to_have_count(0)
    for name in ("Reviews", "Exports", "People", "Keys"):
        expect(their.get_by_role("link", name=name)).to_have_count(0)

    # Given more, by command or on the page, an open page follows; and so it does where all is taken.
    rows.execute("UPDATE rights SET scopes = scopes || '{job:review}', clients = clients || '{other}'")
    their.get_by_text("2 jobs").first.wait_for(timeout=2 * PATIENCE)
    expect(their.get_by_role("link", name="Reviews")).to_be_visible()
    expect(their.get_by_text("2 jobs").first).to_be_visible()
    page.get_by_role("combobox", name="Rights to change or take away").click()
    page.get_by_role("option", name=somebody).click()
    page.get_by_role("button", name="Take", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Take rights").click()
    expect(page.get_by_text("No rights are given yet")).to_be_visible()
    their.get_by_text("this account has no access").wait_for(timeout=2 * PATIENCE)
    expect(their.get_by_text("this account has no access")).to_be_visible()

    assert faults == []
    told = "SELECT event, address FROM audit_events WHERE subject = %s ORDER BY seq"
    assert rows.execute(told, (somebody,)).fetchall() == [("rights-given", ADMIN), ("rights-taken", ADMIN)]


WRONG: tuple[dict[str, Any], ...] = (
    *({"iss": "https://elsewhere.example"}, {"aud": "another client"}, {"iat": 1}, {"exp": 1}, {"nonce": "n"}),
    *({"events": {}}, {"events": None}, {"events": []}, {"sub": None}, {"sub": 7}, {"sub": ""}, {"iat": None}),
)


def test_nobody_but_the_provider_ends_sessions_by_a_token(
    door: RunningServer, provider: Provider, rows: psycopg.Connection
) -> None:
    """A token that is not the provider's, not for this server, too old or no logout token ends nothing.

    The provider's ends the sessions of a person, or the one that it names.
    """
    somebody = "stays@team.example.com"
    for session in ("one", "other"):
        come_in_by_hand(provider, door.url, somebody, sid=session)
    right = {"sub": f"id of {somebody}"}
    head, body, signature = provider.logout_token(**right).split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    forged = [f"{head}.{body}.{signature[:-4]}AAAA", f"{none}.{body}.", f"{head}.{body}", "", "a.b.c"]

    answers = [tell(door, provider.logout_token(**(right | wrong))) for wrong in WRONG]
    answers += [tell(door, token) for token in forged]
    answers += [httpx.post(door.url + BACKCHANNEL_PATH, content=b"x" * 100_000)]

    assert [answer.status_code for answer in answers] == [400] * len(answers)
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}
    assert httpx.get(door.url + BACKCHANNEL_PATH).status_code == 405
    ended = "SELECT count(*) FROM sessions WHERE address = %s AND ended_at IS NOT NULL"
    assert rows.execute(ended, (somebody,)).fetchone() == (0,)
    assert tell(door, provider.logout_token(sid="other")).status_code == 200
    assert rows.execute(ended, (somebody,)).fetchone() == (1,)
    assert tell(door, provider.logout_token(**right)).status_code == 200
    assert rows.execute(ended, (somebody,)).fetchone() == (2,)


def tell(server: RunningServer, token: str) -> httpx.Response:
    """Say that a session has ended, as the provider does."""
    return httpx.post(server.url + BACKCHANNEL_PATH, data={"logout_token": token}, trust_env=False)


REFUSED: tuple[tuple[str, dict[str, bool], str], ...] = (
    ("unverified@team.example.com", {"email_verified": False}, "does not say that this address is verified"),
    ("**bold**<b>@example.org", {}, "has no access here"),
)


def test_whoever_is_not_meant_meets_a_refusal(
    door: RunningServer, provider: Provider, page: Page, rows: psycopg.Connection
) -> None:
    """A stranger, or an address that is not verified, is told so plainly, can leave, and is in the audit once.

    The refusal keeps the rules of axe-core in both themes.
    """
    faults = []
    page.goto(door.url)
    for number, (address, claims, reason) in enumerate(REFUSED):
        provider.is_here(address, **claims)
        known = len(events(rows, address))
        # A page is drawn in the theme in which it was loaded.
        page.emulate_media(color_scheme=THEMES[number])
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("this account has no access.")).to_be_visible()
        expect(page.get_by_text(reason)).to_be_visible()
        expect(page.get_by_text(address)).to_be_visible()
        faults += find_faults(page)
        page.get_by_role("button", name="Sign out").click()
        expect_out(page)
        assert events(rows, address)[known:] == ["refused"]

    assert faults == []


def test_a_session_ends_with_its_hours_also_in_an_idle_tab(
    door: RunningServer, provider: Provider, page: Page, rows: psycopg.Connection
) -> None:
    """Hours count from the sign-in at the provider; a page that nobody touches ends by itself.

    Whoever was known there for longer is asked anew, by whichever parameter the provider knows, and comes back to the
    page that they wanted: a link opened signed out, or one on which the session ended. Where they are refused they read
    why, and the way back is there.
    """
    somebody, long_ago = "idle@team.example.com", int(time.time()) - 13 * 3600
    provider.is_here(somebody, auth_time=long_ago)
    link = f"{door.url}/exports?tz=Asia%2FTokyo"
    provider.error = "access_denied"
    come_in(page, provider, link)
    expect(page.get_by_text("Your provider did not let you in")).to_be_visible()
    provider.error = None
    page.get_by_role("link", name="Back to the page you wanted").click()
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Exports", exact=True)).to_be_visible()
    assert page.url == link
    sooner = ", ".join(f"{time} = {time} - interval '12 hours'" for time in ("authenticated_at", "first_seen_at"))
    rows.execute(f"UPDATE sessions SET {sooner} WHERE address = '{somebody}'")

    expect_ended(page)
    expect_out(page)

    provider.is_here(somebody, auth_time=long_ago)
    provider.knows = {"prompt"}
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Exports", exact=True)).to_be_visible()
    assert page.url == link

    page.context.clear_cookies()
    provider.is_here(somebody, auth_time=long_ago)
    come_in(page, provider, door.url)
    expect(page.get_by_text("Your provider let you in without asking again")).to_be_visible()
    page.get_by_role("button", name="Sign in").click()
    expect_in(page, somebody)
    provider.knows = {"max_age", "prompt"}


def test_a_lost_scope_counts_at_once(
    serve: Serve, provider: Provider, page: Page, context: BrowserContext, tmp_path: Path
) -> None:
    """A session that is still good opens nothing once its owner is off the list.

    FENCEPOST_TRUST_EMAIL names providers whose addresses are believed as they are. `cookie_secret` may be rotated: what
    the former one has signed stays good.
    """
    somebody = "somebody@team.example.com"
    provider.is_here(somebody, email_verified=False)
    with serve(FENCEPOST_TRUST_EMAIL="company") as server:
        come_in(page, provider, server.url)
        expect_in(page, somebody)
        link = download_link(page)
    secrets = tmp_path / "secrets.toml"
    rotated = re.sub('cookie_secret = (".*")', rf'cookie_secret = ["{"another secret " * 3}", \1]', secrets.read_text())
    secrets.write_text(rotated)
    with serve(FENCEPOST_STAFF="other@example.com", FENCEPOST_TRUST_EMAIL="company") as server:
        page.goto(server.url)
        expect(page.get_by_text("has no access here")).to_be_visible()

        assert fetch(context, server.url + link).status_code == 403


def test_signing_out_ends_all_sessions_and_their_tickets(
    door: RunningServer,
    provider: Provider,
    page: Page,
    context: BrowserContext,
    elsewhere: BrowserContext,
    rows: psycopg.Connection,
) -> None:
    """A person who signs out in one browser is out in all, and what they were offered before is worthless."""
    provider.is_here(STAFF)
    come_in(page, provider, door.url)
    expect_in(page, STAFF)
    link = door.url + download_link(page)
    assert fetch(context, link).status_code == 200
    other = elsewhere.new_page()
    come_in(other, provider, door.url)
    expect_in(other, STAFF)
    assert fetch(elsewhere, link).status_code == 403

    other.get_by_role("button", name="Sign out").click()
    expect_out(other)

    assert fetch(context, link).status_code == 403
    expect_ended(page)

    found = "SELECT details->>'reason' FROM audit_events WHERE event = 'export-refused' AND actor = %s ORDER BY seq"
    refusals = rows.execute(found, (f"user:{provider.issuer}|id of {STAFF}",))
    assert [re.split("[:,]", reason)[0] for (reason,) in refusals] == [
        "The link is older than two minutes",
        "You are signed out",
    ]


def test_an_open_page_of_somebody_signed_out_records_nothing(
    door: RunningServer, provider: Provider, page: Page, rows: psycopg.Connection
) -> None:
    """What is pressed after a sign-out elsewhere does nothing: the page asks to sign in, its connection is closed."""
    created_at = datetime.now(UTC) - timedelta(minutes=10)
    for number in range(3):
        insert_job(rows, is_prohibited=True, prompt="the same", created_at=created_at - timedelta(seconds=number))
    provider.is_here(STAFF)
    closed: list[float] = []
    page.on("websocket", lambda socket: socket.on("close", lambda _: closed.append(time.monotonic())))
    come_in(page, provider, f"{door.url}/reviews?range=7d")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("button", name="Agree")).to_be_visible()
    before = rows.execute("SELECT count(*) FROM review_claims WHERE ends_at > now()").fetchone()
    closed.clear()

    rows.execute("UPDATE people SET signed_out_at = clock_timestamp() WHERE address = %s", (STAFF,))
    page.keyboard.press("a")
    expect(page.get_by_text("Your session has ended")).to_be_visible()
    deadline = time.monotonic() + PATIENCE / 1000
    while not closed and time.monotonic() < deadline:
        page.wait_for_timeout(50)

    assert before == (1,)
    assert closed
    assert rows.execute("SELECT count(*) FROM reviews").fetchone() == (0,)
    said = rows.execute("SELECT event FROM audit_events ORDER BY seq DESC LIMIT 1").fetchone()
    assert said is not None
    assert said[0] != "reviewed"


def test_two_people_review_at_once(
    door: RunningServer, provider: Provider, page: Page, elsewhere: BrowserContext, rows: psycopg.Connection
) -> None:
    """Each gets a job of their own, and what one was typing is there after the session ended in the middle of it."""
    created_at = datetime.now(UTC) - timedelta(minutes=10)
    ids = {str(insert_job(rows, is_prohibited=True, created_at=created_at - timedelta(seconds=n))) for n in range(2)}
    other = elsewhere.new_page()
    for somebody, tab in ((STAFF, page), (ADMIN, other)):
        provider.is_here(somebody)
        come_in(tab, provider, f"{door.url}/reviews?range=7d")
        tab.get_by_role("button", name="Start").wait_for()
        expect(tab.get_by_role("button", name="Start")).to_be_visible()
    for tab in (page, other):
        tab.keyboard.press("j")
    for tab in (page, other):
        expect(tab.get_by_role("textbox", name="Note")).to_be_visible()
    opened = [parse_qs(urlsplit(tab.url).query)["job"][0] for tab in (page, other)]
    address = page.url

    page.get_by_role("textbox", name="Note").click()
    page.keyboard.type("Half a sen")
    kept = "SELECT note FROM review_drafts"
    wait_for(lambda: rows.execute(kept).fetchall() == [("Half a sen",)], "the note")
    rows.execute("UPDATE people SET signed_out_at = clock_timestamp() WHERE address = %s", (STAFF,))
    page.goto(address)
    expect_out(page)
    provider.is_here(STAFF)
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("textbox", name="Note")).to_have_value("Half a sen")
    assert page.url == address
    assert set(opened) == ids


def download_link(page: Page) -> str:
    link = page.get_by_role("link", name="Download CSV").get_attribute("href")
    assert link is not None
    return "/" + link.split("/", 3)[3] if link.startswith("http") else link


def fetch(context: BrowserContext, address: str) -> httpx.Response:
    """Follow a link with the cookies of a browser."""
    cookies = {cookie["name"]: cookie["value"] for cookie in context.cookies()}
    return httpx.get(address, cookies=cookies, timeout=30, trust_env=False)
