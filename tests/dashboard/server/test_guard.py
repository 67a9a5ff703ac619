"""Which requests reach the dashboard at all, on a real socket."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from core.settings import Settings
from dashboard.server.guard import is_loopback
from tests.conftest import TestServer
from tests.support.servers import RunningServer, serving_dashboard, serving_warm
from tests.support.serving import free_port
from tests.support.warm_start import WarmProcess


@pytest.fixture(scope="module")
def demo(server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server for all of these tests, which change nothing in it."""
    name = f"fencepost_test_{uuid4().hex[:12]}"
    with serving_dashboard(server.create_migrated(name), tmp_path_factory.mktemp("demo")) as running:
        yield running
    server.drop(name)


PATHS = ("/", "/health", "/api/v1/openapi.json", "/downloads/jobs.csv", "/_stcore/host-config")


@pytest.mark.parametrize("path", PATHS)
def test_demo_mode_refuses_foreign_hosts_and_proxies(demo: RunningServer, path: str) -> None:
    """A host name that is not this machine's, and any sign of a proxy, is refused at every address."""
    port = httpx.URL(demo.url).port

    for host in ("evil.example", "localhost.evil.example", "192.0.2.1", ""):
        assert httpx.get(demo.url + path, headers={"Host": host}).status_code in (400, 403)
    for header in ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Via", "X-Real-IP"):
        refused = httpx.get(demo.url + path, headers={header: "192.0.2.1"})
        assert refused.status_code == 403
        assert "FENCEPOST_ALLOWED_HOSTS" in refused.text
    for host in ("localhost", "LOCALHOST:1", f"127.0.0.1:{port}", "[::1]:3051"):
        assert httpx.get(demo.url + path, headers={"Host": host}).status_code != 400
        assert "FENCEPOST_ALLOWED_HOSTS" not in httpx.get(demo.url + path, headers={"Host": host}).text


def test_refusals_under_api_are_json(demo: RunningServer) -> None:
    """Callers of the API get the API's form of an error."""
    refused = httpx.get(f"{demo.url}/api/v1/jobs/export", headers={"Host": "evil.example"})

    assert refused.json() == {
        "error": "FORBIDDEN",
        "message": "This server does not answer to this host name: use 127.0.0.1, [::1], localhost, "
        "or name it in FENCEPOST_ALLOWED_HOSTS if you mean it.",
        "statusCode": 403,
    }


def test_named_hosts_are_answered_also_through_a_proxy(database_url: str, tmp_path: Path) -> None:
    """Who names a host in FENCEPOST_ALLOWED_HOSTS means it."""
    with serving_dashboard(database_url, tmp_path, FENCEPOST_ALLOWED_HOSTS="fencepost.example") as running:
        headers = {"Host": "fencepost.example", "X-Forwarded-For": "192.0.2.1"}

        assert httpx.get(f"{running.url}/health", headers=headers).status_code == 200
        assert httpx.get(f"{running.url}/health", headers={"Host": "evil.example"}).status_code == 403


@pytest.mark.parametrize("path", ["/_stcore/metrics", "/_stcore/agent/", "/_stcore/agent/v1/sessions"])
def test_streamlits_own_doors_are_closed(demo: RunningServer, path: str) -> None:
    """Figures about the server and the agent API answer 404, whatever the method."""
    assert httpx.get(demo.url + path).status_code == 404
    assert httpx.post(demo.url + path).status_code == 404


@pytest.mark.parametrize("site", ["cross-site", "same-site", None])
def test_no_other_site_signs_anybody_out(demo: RunningServer, site: str | None) -> None:
    """Signing out is a step of our own pages: a link or an image elsewhere does not do it."""
    headers = {} if site is None else {"Sec-Fetch-Site": site}

    refused = httpx.get(f"{demo.url}/auth/logout", headers=headers | {"Referer": "https://evil.example/"})
    own = httpx.get(f"{demo.url}/auth/logout", headers={"Referer": f"{demo.url}/jobs"})
    typed = httpx.get(f"{demo.url}/auth/logout", headers={"Sec-Fetch-Site": "none"})

    assert typed.status_code != 403
    assert refused.status_code == 403
    assert "set-cookie" not in refused.headers
    assert own.status_code != 403


def test_a_page_brings_the_browser_its_cookie_once(demo: RunningServer) -> None:
    """The first page sets our cookie, which no script can read; later ones leave it as it is."""
    page = {"Accept": "text/html"}
    with httpx.Client(base_url=demo.url) as client:
        first = client.get("/", headers=page)
        second = client.get("/", headers=page)
        asset = httpx.get(f"{demo.url}/_stcore/health")

    name, *attributes = first.headers["set-cookie"].split("; ")
    assert name.startswith("fencepost_browser=")
    assert len(name) > len("fencepost_browser=") + 40
    assert attributes == ["Path=/", "HttpOnly", "SameSite=Lax"]
    assert "set-cookie" not in second.headers
    assert "fencepost_browser" not in asset.headers.get("set-cookie", "")


def handshake(url: str, **headers: str) -> int:
    """Knock at the socket of the pages and return the status."""
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    key = {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}
    with httpx.stream("GET", f"{url}/_stcore/stream", headers=upgrade | key | headers) as answer:
        return answer.status_code


@pytest.mark.parametrize("host", ["evil.example", "evil.example@{}", "{}@evil.example", "{}/", "{}#", "{}?x"])
def test_websocket_of_a_foreign_host_is_refused(demo: RunningServer, host: str) -> None:
    """DNS rebinding reaches no session: the handshake itself is refused."""
    own = httpx.URL(demo.url).netloc.decode()

    assert handshake(demo.url, Host=host.format(own)) == 403


def test_only_our_own_pages_open_a_websocket(demo: RunningServer) -> None:
    """A page of another site, or of another server on this machine, reaches no session through somebody's browser."""
    own = demo.url
    port = httpx.URL(own).port

    assert [handshake(own, Origin=origin) for origin in (own, own.upper())] == [101, 101]
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", f"http://localhost:{port}", f"{own}.evil", "["):
        assert handshake(own, Origin=origin) == 403


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"STREAMLIT_SERVER_ADDRESS": "0.0.0.0"}, "Demo mode starts only on a loopback address"),
        ({"STREAMLIT_SERVER_TRUSTED_USER_HEADERS": '{"X-User": "email"}'}, "server.trustedUserHeaders"),
        ({"STREAMLIT_SERVER_ENABLE_AGENT_API": "true"}, "server.enableAgentApi"),
        ({"FENCEPOST_DEMO": "perhaps"}, "FENCEPOST_DEMO is not valid"),
    ],
)
def test_a_server_that_would_open_a_door_does_not_start(
    database_url: str, tmp_path: Path, environment: dict[str, str], sentence: str
) -> None:
    """Settings that let strangers in are refused at the start, in one line."""
    variables = {"DATABASE_URL": database_url, "FENCEPOST_DEMO": "1", "STREAMLIT_SERVER_PORT": str(free_port())}

    code = WarmProcess("dashboard", [], variables | environment, tmp_path / "log").wait(timeout=60)

    said = (tmp_path / "log").read_text()
    assert code == 1
    assert said.startswith("Error: ")
    assert sentence in said
    assert said.count("\n") == 1


def test_outside_demo_mode_the_api_answers_any_host(database_url: str, tmp_path: Path) -> None:
    """Without demo mode there are no pages to protect by host name, and the API asks for a key anyway."""
    port = free_port()
    environment = {"DATABASE_URL": database_url, "STREAMLIT_SERVER_PORT": str(port)}
    with serving_warm(port, tmp_path, environment) as running:
        answer = httpx.get(f"{running.url}/api/v1/jobs/export", headers={"Host": "fencepost.example"})

    assert answer.status_code == 401


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]"])
def test_addresses_of_this_machine_are_loopback(address: str) -> None:
    """Demo mode starts on these."""
    assert is_loopback(address)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1", "example.com", ""])
def test_other_addresses_are_not(address: str) -> None:
    """Demo mode does not start on these."""
    assert not is_loopback(address)


def test_settings_of_tests_are_not_those_of_the_shell() -> None:
    """The tests see no setting of the person who runs them."""
    assert Settings().fencepost_demo is False
