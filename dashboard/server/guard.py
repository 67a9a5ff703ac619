"""Which requests reach the pages at all: hosts that are meant, no proxy in demo mode, no back doors."""

import ipaddress
import secrets
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import downloads, routes
from api.errors import forbidden
from api.pages import page
from core.auth.session_ids import SESSION_COOKIE, SessionIds
from core.auth.tickets import BROWSER_COOKIE
from core.settings import Settings
from dashboard.server.host_cookies import with_host_cookies
from dashboard.server.security_headers import with_security_headers
from dashboard.server.sign_in_failure import BACKCHANNEL_PATH, LOGIN_PATH, LOGOUT_PATH, with_plain_failure
from dashboard.server.sign_in_limit import LIMITED, SignInLimit
from dashboard.server.sign_in_steps import is_own_step, with_fresh_sign_in
from dashboard.server.visitors import Visitors

DEMO_HOSTS = ("localhost", "127.0.0.1", "::1")

# Paths of Streamlit's that answer anybody: figures about the server, a second way into sessions, and uploads, which no
# page of ours takes.
CLOSED_PATHS = ("/_stcore/metrics", "/_stcore/agent", "/_stcore/upload_file")

PROXY_HEADERS = ("forwarded", "x-forwarded-", "x-real-ip", "via")


class Guard:
    """The outermost layer: refuses what must not come in, and sends each request to whom it is for.

    The API and the downloads bypass Streamlit's own layers, so they answer here exactly as they do alone: its
    compression is slower than the export itself.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: Settings,
        api: ASGIApp,
        downloads: ASGIApp,
        hosts: tuple[str, ...] = (),
        ids: SessionIds | None = None,
        logout: ASGIApp | None = None,
    ) -> None:
        """`hosts` are those that are meant outside demo mode where FENCEPOST_ALLOWED_HOSTS names none.

        By the `ids` of sessions it is known who is no stranger; in demo mode no browser is that has been here. `logout`
        is what providers tell of sign-outs.
        """
        self._app = app
        self._api = api
        self._downloads = downloads
        self._demo = settings.fencepost_demo
        self._ids = ids
        self._logout = logout
        self._visitors = Visitors(app, self._name)
        self._limited = SignInLimit(self._sign_in)
        self._session_hours = settings.fencepost_session_hours
        listed = settings.fencepost_allowed_hosts.lower().split(",")
        named = [_strip_brackets(host) for host in listed if host.strip()]
        default = DEMO_HOSTS if self._demo else () if named else hosts
        self._hosts = frozenset(named) | frozenset(default)
        # Behind a proxy the address in the browser may have another port than the Host header says.
        self._origins = frozenset(named) | frozenset(hosts)
        # Who names further hosts means to be reached from elsewhere.
        self._proxy_allowed = not self._demo or not frozenset(named) <= frozenset(DEMO_HOSTS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        if scope["type"] == "http":
            send = with_security_headers(scope, send)
        scope, send = with_host_cookies(scope, send)
        refusal = self._refusal(Headers(scope=scope), path)
        if refusal is None and scope["type"] == "websocket" and not self._is_own_page(Headers(scope=scope)):
            refusal = "A page of another server may not look in here."
        if refusal is not None:
            await _refuse(scope, receive, send, refusal)
        elif scope["type"] == "websocket":
            await self._visitors(scope, receive, send)
        elif routes.handles(path):
            await self._api(scope, receive, send)
        elif downloads.handles(path):
            await self._downloads(scope, receive, send)
        elif path.startswith(CLOSED_PATHS):
            await page(404, "There is nothing here", "This address is closed.")(scope, receive, send)
        elif path == LOGOUT_PATH and not is_own_step(Headers(scope=scope)):
            sentence = "Another page led here. Go back to Fencepost, and use its sign-out button."
            await page(403, "You are still signed in", sentence)(scope, receive, send)
        elif path in LIMITED:
            await self._limited(scope, receive, send)
        else:
            await self._app(scope, receive, _with_browser_cookie(scope, send))

    async def _sign_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer at the `LIMITED` addresses: the way to the provider and back, and what it tells of sign-outs."""
        path = scope["path"]
        if path == BACKCHANNEL_PATH and self._logout is not None:
            await self._logout(scope, receive, send)
        elif path == LOGIN_PATH:
            again = self._name(HTTPConnection(scope)) is not None
            asking = with_fresh_sign_in(scope, send, self._session_hours, again=again)
            await self._app(scope, receive, with_plain_failure(scope, receive, asking))
        else:
            await self._app(scope, receive, send)

    def _name(self, connection: HTTPConnection) -> str | None:
        """Name a visitor by the cookie, or return None for a stranger.

        What somebody may do is looked up at each step of a page; this costs no query.
        """
        if self._demo:
            return connection.cookies.get(BROWSER_COOKIE)
        return None if self._ids is None else self._ids.read(connection.cookies.get(SESSION_COOKIE, ""))

    def _refusal(self, headers: Headers, path: str) -> str | None:
        """Say why a request is refused, or return None.

        Outside demo mode the API is open to any host name: it needs a key, which no browser sends by itself.
        """
        if not self._demo and routes.handles(path):
            return None
        if self._hosts and _host(headers.getlist("host")) not in self._hosts:
            return (
                f"This server does not answer to this host name: use {_names(self._hosts)}, "
                "or name it in FENCEPOST_ALLOWED_HOSTS if you mean it."
            )
        if not self._proxy_allowed and any(name.startswith(PROXY_HEADERS) for name in headers):
            return (
                "This server is in demo mode, where everybody may do everything, and the request came through a "
                "proxy: open it directly, or name its host in FENCEPOST_ALLOWED_HOSTS if you mean it."
            )
        return None

    def _is_own_page(self, headers: Headers) -> bool:
        """Tell whether a browser's connection comes from a page of ours (RFC 6455, section 10.2).

        Streamlit lets in the pages of every server of this machine, and cookies know no ports.
        """
        host = headers.get("host", "").lower()
        try:
            origins = [urlsplit(origin) for origin in headers.getlist("origin")]
        except ValueError:
            return False
        return all(origin.netloc.lower() == host or origin.hostname in self._origins for origin in origins)


def is_loopback(address: str) -> bool:
    """Tell whether a server that listens there is reached from this machine only."""
    try:
        return address == "localhost" or ipaddress.ip_address(_strip_brackets(address)).is_loopback
    except ValueError:
        return False


async def _refuse(scope: Scope, receive: Receive, send: Send, sentence: str) -> None:
    if scope["type"] == "websocket":
        # Closed before it is accepted: the browser sees 403.
        await receive()
        await send({"type": "websocket.close", "code": 1008})
    elif routes.handles(scope["path"]):
        await forbidden(sentence).response()(scope, receive, send)
    else:
        await page(403, "Host not allowed", sentence)(scope, receive, send)


def _host(hosts: list[str]) -> str | None:
    """Return the name in the Host header without its port, or None where there is not exactly one."""
    if len(hosts) != 1:
        return None
    try:
        parts = urlsplit(f"//{hosts[0]}")
    except ValueError:
        return None
    return parts.hostname if parts.netloc == hosts[0] and parts.username is None else None


def _strip_brackets(host: str) -> str:
    return host.strip().removeprefix("[").removesuffix("]")


def _names(hosts: Iterable[str]) -> str:
    return ", ".join(sorted(f"[{host}]" if ":" in host else host for host in hosts))


def _with_browser_cookie(scope: Scope, send: Send) -> Send:
    """Give a browser that has none its cookie, to which its download tickets are tied."""
    headers = Headers(scope=scope)
    cookies = cookie_parser(headers.get("cookie", ""))
    is_page = headers.get("accept", "").startswith("text/html") and scope["method"] == "GET"
    if BROWSER_COOKIE in cookies or not is_page:
        return send
    cookie = f"{BROWSER_COOKIE}={secrets.token_urlsafe(32)}; Path=/; HttpOnly; SameSite=Lax"
    if scope["scheme"] == "https":
        cookie += "; Secure"

    async def send_with_cookie(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).append("set-cookie", cookie)
        await send(message)

    return send_with_cookie
