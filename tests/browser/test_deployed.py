"""Fencepost as `deploy/` sets it up: the image's folder, the two roles, and nginx with TLS in front of it."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
import pytest
from playwright.sync_api import Browser, expect
from pydantic import SecretStr

from core.db.databases import Databases
from core.db.embedded import EmbeddedServer, _programs
from core.db.startup import open_databases
from core.settings import Settings
from tests.browser.conftest import new_profile
from tests.conftest import ROOT
from tests.support import image
from tests.support.asgi import APRIL, EXPORT, make_key
from tests.support.nginx import Nginx, running_nginx
from tests.support.provider import Provider, running_provider
from tests.support.rows import insert_large_jobs
from tests.support.servers import RunningServer, serving
from tests.support.serving import ApiProcess, free_port, serve_api
from tests.support.stillness import wait_until_still
from tests.support.waiting import terminate_exports, wait_for

ADMIN = "lead@example.com"

# Far more than lies in the buffers of all sockets and of nginx, so that an export is still at work when a test acts:
# Linux lets the buffer of one socket grow to 32 MB.
JOBS, SIZE = 800, 100_000

# What curl exits with when a body was cut: "partial file", and "a problem was detected in the HTTP2 framing layer".
CUT = {"--http1.1": 18, "--http2": 92}


@dataclass(frozen=True, slots=True)
class Deployed:
    """Everything that runs: nginx, the server behind it, its database as the two roles, and a staff key."""

    nginx: Nginx
    server: RunningServer
    app_url: str
    databases: Databases
    rows: psycopg.Connection
    provider: Provider
    key: str

    @property
    def authorization(self) -> tuple[str, str]:
        return "--header", f"Authorization: {self.key}"

    def receipt(self, export_id: str) -> tuple[str, int | None]:
        found = self.rows.execute("SELECT status, bytes FROM exports WHERE export_id = %s", [export_id]).fetchone()
        assert found is not None
        return found[0], found[1]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A PostgreSQL in which the files of `deploy/` have made roles, tables and grants."""
    server = EmbeddedServer(tmp_path_factory.mktemp("database"))
    server.start()
    psql = {"PATH": f"{_programs()}:{os.environ['PATH']}", "PGHOST": str(server.sockets)}
    made = {"POSTGRES_USER": "postgres", "POSTGRES_DB": "fencepost", "OWNER_PASSWORD": "it's", "APP_PASSWORD": "one"}
    subprocess.run([ROOT / "deploy" / "roles.sh"], env=os.environ | psql | made, check=True)
    owner = {"MIGRATE_DATABASE_URL": as_role(server, "fencepost_owner")}
    subprocess.run([sys.executable, "-m", "core", "migrate"], cwd=ROOT, env=os.environ | owner, check=True)
    grants = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-1", "-f", str(ROOT / "deploy" / "grants.sql")]
    role = {"PGUSER": "postgres", "PGDATABASE": "fencepost", "PGOPTIONS": "-c role=fencepost_owner"}
    subprocess.run(grants, env=os.environ | psql | role, check=True)
    yield server
    server.stop()


def as_role(server: EmbeddedServer, role: str) -> str:
    """Return the URL of sessions that are another role's from their start; the embedded server lets no other log in."""
    return f"{server.url('postgres', 'fencepost')}&options={quote(f'-c role={role}')}"


@pytest.fixture(scope="module")
def deployed(database: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("image")
    image.assemble(folder)
    app_url = as_role(database, "fencepost_app")
    port = free_port()
    with ExitStack() as stack:
        provider = stack.enter_context(running_provider())
        nginx = stack.enter_context(running_nginx(tmp_path_factory.mktemp("nginx") / "nginx", port))
        secrets = folder / "sign_in.toml"
        secrets.write_text(provider.secrets_toml(f"{nginx.url}/oauth2callback"))
        environment = image.variables() | {
            "STREAMLIT_SERVER_ADDRESS": "127.0.0.1",
            "STREAMLIT_SERVER_PORT": str(port),
            "STREAMLIT_SECRETS_FILES": str(secrets),
            "DATABASE_URL": app_url,
            "FENCEPOST_AUDIT_KEY": "an audit key of the tests, long enough",
            "FENCEPOST_STAFF": "@example.com",
            "FENCEPOST_ADMINS": ADMIN,
            "FENCEPOST_EXPORTS_PER_CLIENT": "4",
            "FENCEPOST_SEND_TIMEOUT": "600",
            # As in the compose file: so all the more it must be nginx that says who asked.
            "FORWARDED_ALLOW_IPS": "*",
        }
        command = [sys.executable, *image.command("CMD")[1:]]
        server = stack.enter_context(serving(command, port, folder, environment, cwd=folder))
        audit_key = SecretStr(environment["FENCEPOST_AUDIT_KEY"])
        databases = open_databases(Settings(database_url=SecretStr(app_url), fencepost_audit_key=audit_key))
        stack.callback(databases.close)
        rows = stack.enter_context(psycopg.connect(database.url("postgres", "fencepost"), autocommit=True))
        insert_large_jobs(rows, JOBS, size=SIZE)
        yield Deployed(nginx, server, app_url, databases, rows, provider, make_key(databases, None))


@pytest.mark.parametrize("version", CUT)
def test_an_export_comes_through_as_it_is(deployed: Deployed, tmp_path: Path, version: str) -> None:
    """Byte for byte what the server sends, with its id, and no faster than it is read: nothing lies on the way."""
    headers = tmp_path / "headers"

    curl = deployed.nginx.curl(EXPORT, version, "--compressed", "--dump-header", str(headers), *deployed.authorization)
    assert curl.stdout is not None
    first = curl.stdout.read(3)
    export_id = read_headers(headers)["x-export-id"]
    # By the time that another one has ended, this one would lie in a file of nginx.
    direct = httpx.get(deployed.server.url + EXPORT, headers={"Authorization": deployed.key}, timeout=60).content
    meanwhile = deployed.receipt(export_id)
    rest, error = curl.communicate(timeout=60)

    assert (curl.returncode, error) == (0, b"")
    assert first + rest == direct
    assert meanwhile[0] == "running"
    wait_for(lambda: deployed.receipt(export_id) == ("complete", len(direct)), "the receipt")
    assert "content-encoding" not in read_headers(headers)
    assert read_headers(headers)["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize("version", CUT)
def test_a_cut_export_is_an_error_for_its_reader(deployed: Deployed, tmp_path: Path, version: str) -> None:
    """When the database goes in the middle, curl fails, nothing but rows has come, and the receipt says failed."""
    headers = tmp_path / "headers"
    curl = deployed.nginx.curl(EXPORT, version, "--dump-header", str(headers), *deployed.authorization)
    assert curl.stdout is not None
    first = curl.stdout.read(3)

    terminate_exports(deployed.rows)
    rest, _ = curl.communicate(timeout=60)

    assert curl.returncode == CUT[version]
    assert (first + rest).startswith(b"\xef\xbb\xbfjob_id,")
    assert all(len(line) > SIZE for line in rest.splitlines()[1:])
    wait_for(lambda: deployed.receipt(read_headers(headers)["x-export-id"])[0] == "failed", "the receipt")


def test_http_1_0_is_refused(deployed: Deployed) -> None:
    """HTTP/1.0 has no sign for the end of a body, so that a cut file would look whole."""
    curl = deployed.nginx.curl(EXPORT, "--http1.0", "--fail", *deployed.authorization)
    curl.communicate(timeout=60)

    assert curl.returncode == 22


def test_head_starts_no_export(deployed: Deployed) -> None:
    """HEAD is 405 through nginx, too, and no export runs for it."""
    exports = "SELECT count(*) FROM exports"
    before = deployed.rows.execute(exports).fetchone()

    answer = ask(deployed.nginx, EXPORT, method="HEAD", Authorization=deployed.key)

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert deployed.rows.execute(exports).fetchone() == before


def test_large_cookies_come_through(deployed: Deployed) -> None:
    """Cookies that others have left, such as an earlier version's, keep nobody from the pages."""
    cookies = "; ".join(f"_streamlit_user_{part}={'x' * 4_000}" for part in range(4))

    answer = ask(deployed.nginx, "/", Cookie=cookies)

    assert answer.status_code == 200


def test_without_tls_there_are_no_pages_and_no_api(deployed: Deployed) -> None:
    """Pages send browsers to TLS, to our name alone; the API refuses in its own form, because the key has been seen."""
    page = httpx.get(f"{deployed.nginx.plain_url}/?q=word", trust_env=False)
    named = httpx.get(deployed.nginx.plain_url, headers={"Host": "evil.example"}, trust_env=False)
    api = httpx.get(deployed.nginx.plain_url + EXPORT, headers={"Authorization": deployed.key}, trust_env=False)

    assert (page.status_code, page.headers["location"]) == (308, "https://localhost/?q=word")
    assert (named.status_code, named.headers["location"]) == (308, "https://localhost/")
    assert (api.status_code, api.headers["content-type"]) == (403, "application/json")
    assert set(api.json()) == {"error", "message", "statusCode"}
    assert api.json()["error"] == "FORBIDDEN"


def test_the_audit_names_who_asked(deployed: Deployed) -> None:
    """The address is the one that nginx saw, whatever the request says about itself."""
    spoofed = ("--header", "X-Forwarded-For: 192.0.2.1", "--header", "Forwarded: for=192.0.2.1")
    curl = deployed.nginx.curl(f"{EXPORT}&type=none", "--interface", "127.0.0.2", *spoofed, *deployed.authorization)
    curl.communicate(timeout=60)

    newest = "SELECT remote_address FROM audit_events WHERE event = 'export-started' ORDER BY seq DESC LIMIT 1"
    assert deployed.rows.execute(newest).fetchone() == ("127.0.0.2",)


def test_people_sign_in_and_download_through_tls(deployed: Deployed, browser: Browser, tmp_path: Path) -> None:
    """Sign-in, pages and the download work behind nginx, a cut download is a failed one, and every cookie is Secure."""
    deployed.provider.is_here(ADMIN)
    context = new_profile(browser, ignore_https_errors=True)
    page = context.new_page()
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))

    answer = page.goto(f"{deployed.nginx.url}/?{APRIL}")
    page.get_by_role("button", name="Sign in").click()
    # Whoever comes back is on the page that they wanted.
    page.get_by_text(ADMIN, exact=True).wait_for()
    wait_until_still(page)
    expect(page.get_by_text(ADMIN, exact=True)).to_be_visible()
    expect(page.get_by_role("link", name=f"Download CSV · {JOBS:,} rows")).to_be_visible()
    with page.expect_download() as clicked:
        page.get_by_role("link", name="Download CSV").click()
    clicked.value.save_as(tmp_path / "clicked.csv")
    cookies = {cookie["name"]: cookie["secure"] for cookie in context.cookies()}
    context.add_cookies([{"name": "slow", "value": "1", "url": deployed.nginx.url}])
    with page.expect_download() as cut:
        page.get_by_role("link", name="Download CSV").click()
    terminate_exports(deployed.rows)
    failure = cut.value.failure()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    context.close()

    assert answer is not None
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert sockets[0].startswith(deployed.nginx.url.replace("https", "wss"))
    assert {"__Host-fencepost_browser", "__Host-fencepost_session", "_streamlit_xsrf"} <= set(cookies)
    assert all(cookies.values()), cookies
    # What the server has sent, which is what others get (test_jobs_page.py).
    with (tmp_path / "clicked.csv").open("rb") as clicked_file:
        sha256 = hashlib.file_digest(clicked_file, "sha256").hexdigest()
    sent = "SELECT sha256, rows FROM exports WHERE via = 'dashboard' AND status = 'complete'"
    assert deployed.rows.execute(sent).fetchall() == [(sha256, JOBS)]
    assert failure is not None


def test_the_health_check_of_the_image_works(deployed: Deployed) -> None:
    """What HEALTHCHECK runs exits 0 where the server answers, and not where there is none."""
    port = deployed.server.url.rpartition(":")[2]
    python, option, program = image.command("HEALTHCHECK")
    assert (python, option, program.count("3051")) == ("python", "-c", 1)

    codes = [
        subprocess.run([sys.executable, "-c", program.replace("3051", where)], capture_output=True, check=False)
        for where in (port, str(free_port()))
    ]

    assert [code.returncode for code in codes] == [0, 1]


def test_logs_hold_paths_and_no_queries(deployed: Deployed) -> None:
    """Neither log holds a query, a referrer, a ticket or a key, also where the key stands in a path."""
    secret = deployed.key.removeprefix("Bearer ")
    for target in (f"{EXPORT}&q=secret-word", "/downloads/jobs.csv?ticket=secret-word", f"/api/v1/{secret}"):
        referrer = ("--referer", "https://localhost/?q=secret-word")
        deployed.nginx.curl(target, *referrer, *deployed.authorization).communicate(timeout=60)

    wait_for(lambda: "(a key)" in deployed.nginx.log, "the log of nginx")
    for log in (deployed.nginx.log, deployed.server.log):
        assert "/downloads/jobs.csv" in log
        assert "Traceback" not in log
        for confidential in ("secret-word", "from=", "ticket", "code=", "fp_", secret.split("_")[2], "harmless"):
            assert confidential not in log


@pytest.fixture
def pair(deployed: Deployed, tmp_path: Path) -> Iterator[tuple[Nginx, dict[str, ApiProcess]]]:
    """Two servers that share a database, and nginx in front of both."""
    # The audit takes no rows of a server that lacks the chain's key.
    key = (deployed.databases.audit_key or b"").decode()
    with (
        serve_api(deployed.app_url, tmp_path / "first.log", FENCEPOST_AUDIT_KEY=key) as first,
        serve_api(deployed.app_url, tmp_path / "second.log", FENCEPOST_AUDIT_KEY=key) as second,
    ):
        servers = {server.url.rpartition(":")[2]: server for server in (first, second)}
        with running_nginx(tmp_path / "nginx", *map(int, servers)) as nginx:
            yield nginx, servers


def test_a_killed_server_cuts_its_exports_and_another_goes_on(
    deployed: Deployed, pair: tuple[Nginx, dict[str, ApiProcess]], tmp_path: Path
) -> None:
    """A browser stays with one of several servers; when that is killed its exports are cut, and another closes them."""
    nginx, servers = pair
    same = ("--cookie", "other=1; __Host-fencepost_browser=one; more=2", *deployed.authorization)
    curls, receipts = [], []
    for version in CUT:
        headers = tmp_path / version
        curl = nginx.curl(EXPORT, version, "--dump-header", str(headers), *same)
        assert curl.stdout is not None
        curl.stdout.read(3)
        curls.append(curl)
        receipts.append(f"/api/v1/exports/{read_headers(headers)['x-export-id']}")
    before = [read_json(nginx, receipt, *same)["status"] for receipt in 3 * receipts]
    (port,) = [port for port, server in servers.items() if "/api/v1/exports/" in server.log()]

    servers[port].process.send_signal(signal.SIGKILL)
    for curl in curls:
        curl.communicate(timeout=60)
    deployed.rows.execute("UPDATE exports SET heartbeat_at = now() - interval '61 seconds' WHERE status = 'running'")
    after = [read_json(nginx, receipt, *same) for receipt in receipts]

    assert before == 6 * ["running"]
    assert [curl.returncode for curl in curls] == list(CUT.values())
    assert [(receipt["status"], receipt["sha256"]) for receipt in after] == 2 * [("failed", None)]


def test_while_no_server_is_there_the_api_says_so(deployed: Deployed, tmp_path: Path) -> None:
    """The answer is the API's 503, with a time to come back, and the log of nginx holds no query."""
    with running_nginx(tmp_path / "nginx", free_port()) as nginx:
        answer = ask(nginx, f"{EXPORT}&q=secret-word")
        page = ask(nginx, "/?q=secret-word")
        log = nginx.log

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert set(answer.json()) == {"error", "message", "statusCode"}
    assert (answer.json()["error"], answer.json()["statusCode"]) == ("UNAVAILABLE", 503)
    assert page.status_code == 502
    assert "secret-word" not in log


def ask(nginx: Nginx, target: str, method: str = "GET", **headers: str) -> httpx.Response:
    """Ask once; nobody has signed the certificate."""
    return httpx.request(method, nginx.url + target, headers=headers, verify=False, trust_env=False)  # noqa: S501


def read_json(nginx: Nginx, target: str, *options: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(nginx.curl(target, *options).communicate(timeout=60)[0])
    return found


def read_headers(file: Path) -> dict[str, str]:
    """Read what curl has written of the headers; their names are in lower case."""
    lines = wait_for(lambda: file.read_text() if file.exists() and "\n\n" in file.read_text() else "", "headers")
    return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines.splitlines()[1:] if line)}
