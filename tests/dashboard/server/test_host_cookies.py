"""Over TLS the cookies that decide something have names that no other host can plant."""

import asyncio

import pytest
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from dashboard.server.host_cookies import HELD, with_host_cookies


def exchange(scheme: str, cookie: str) -> tuple[dict[str, str], list[str]]:
    """Return the cookies that are seen behind it, and the names of those that the browser is given."""
    seen: dict[str, str] = {}
    sent: list[Message] = []
    scope = {"type": "http", "method": "GET", "scheme": scheme, "headers": [(b"cookie", cookie.encode())]}

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        seen.update(HTTPConnection(scope).cookies)
        response = PlainTextResponse("here")
        for name in (*sorted(HELD), "_streamlit_xsrf"):
            response.set_cookie(name, "new")
        await response(scope, receive, send)

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    given, sending = with_host_cookies(scope, send)
    asyncio.run(application(given, receive, sending))
    headers = sent[0]["headers"]
    return seen, [value.decode().partition("=")[0] for name, value in headers if name == b"set-cookie"]


@pytest.mark.parametrize("scheme", ["https", "wss"])
def test_over_tls_only_cookies_of_this_host_count(scheme: str) -> None:
    """A plain cookie, which any host of the domain may have set, is not seen; the others are left alone."""
    planted = "fencepost_session=planted; a=1; __Host-fencepost_session=own; fencepost_browser=planted"

    seen, given = exchange(scheme, planted)

    assert seen == {"a": "1", "fencepost_session": "own"}
    assert given == [*(f"__Host-{name}" for name in sorted(HELD)), "_streamlit_xsrf"]


def test_without_tls_the_names_are_plain() -> None:
    """Browsers keep no cookie of that name without TLS."""
    seen, given = exchange("http", "fencepost_session=own; __Host-fencepost_session=other")

    assert seen["fencepost_session"] == "own"
    assert given == [*sorted(HELD), "_streamlit_xsrf"]
