"""What browsers are told, and what the log tells of requests."""

import asyncio
import re
from pathlib import Path

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message

from dashboard.server.security_headers import HEADERS, with_security_headers
from tests.support.servers import serving_dashboard
from tests.support.waiting import wait_for


def test_the_policy_allows_no_script_but_streamlits_own() -> None:
    """No inline script or style, no eval and no other host; the hashes are those of what is installed."""
    policy = dict(part.split(" ", 1) for part in HEADERS["Content-Security-Policy"].split("; "))

    hashes = r"( 'sha256-[A-Za-z0-9+/=]{44}')+"
    assert re.fullmatch(f"'self' blob:{hashes}", policy["script-src"])
    assert re.fullmatch(f"'self'{hashes}", policy["style-src"])
    assert [name for name, value in policy.items() if "blob:" in value] == ["script-src", "worker-src"]
    assert policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"


@pytest.mark.parametrize(("scheme", "secure"), [("http", False), ("https", True)])
def test_behind_tls_every_cookie_stays_there(scheme: str, secure: bool) -> None:
    """Cookies that others set get `Secure`, and the browser is told to come back by TLS only."""
    sent: list[Message] = []
    scope = {"type": "http", "scheme": scheme}

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    response = PlainTextResponse("here", headers={"set-cookie": "a=b; Path=/"})
    response.set_cookie("c", "d", secure=True)
    asyncio.run(response(scope, receive, with_security_headers(scope, send)))

    headers = httpx.Headers(sent[0]["headers"])
    assert ["secure" in cookie.lower() for cookie in headers.get_list("set-cookie")] == [secure, True]
    assert ("strict-transport-security" in headers) == secure


def test_every_response_is_protected_and_logged(database_url: str, tmp_path: Path) -> None:
    """Pages, files, API and refusals carry the headers and an id; the log has a line each, without query."""
    with serving_dashboard(database_url, tmp_path) as server:
        allowed = httpx.get(f"{server.url}/_stcore/host-config", trust_env=False).json()["allowedOrigins"]
        answers = [
            httpx.get(server.url + target, headers=headers, trust_env=False)
            for target, headers in [
                ("/?q=secret-word", {"X-Request-Id": "given-1"}),
                ("/api/v1/jobs/export?q=secret-word", {"X-Request-Id": "bad id"}),
                ("/downloads/jobs.csv?ticket=secret-word", {}),
                ("/a%0Ab/fp_secretword", {}),
                ("/api/v1/jobs/export%3Fq=secret-word", {}),
                (f"/downloads/{'.eJx-secret' * 9}", {}),
                ("/", {"Host": "evil.example"}),
            ]
        ]
        # A line is written after its answer was sent: it may come later than the answer, and than the next line.
        wait_for(lambda: server.log.count("fencepost.requests: ") > len(answers) + 1, "a line for each answer")
    log = server.log

    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "server" not in answer.headers
        assert f"{answer.status_code}" in log
    assert allowed == []
    assert answers[0].headers["x-request-id"] == "given-1"
    assert re.fullmatch("[0-9a-f]{32}", answers[1].headers["x-request-id"])
    lines = [line.split("fencepost.requests: ")[1] for line in log.splitlines() if "fencepost.requests" in line]
    assert sorted(re.sub(r"\d+ ms \S+$", "… ms", line) for line in lines) == [
        "GET / 200 … ms",
        "GET / 403 … ms",
        "GET /_stcore/host-config 200 … ms",
        "GET /a\\nb/(a key) 404 … ms",
        "GET /api/v1/jobs/export 401 … ms",
        "GET /api/v1/jobs/export(cut) 404 … ms",
        "GET /downloads/(long) 404 … ms",
        "GET /downloads/jobs.csv 403 … ms",
        "GET /health 200 … ms",
    ]
    assert "secret" not in log
