"""Cookies that no other host can plant: over TLS their names begin with `__Host-` (RFC 6265bis, section 4.1.3.2)."""

from starlette.types import Message, Scope, Send
from streamlit.web.server.starlette.starlette_server_config import SESSION_COOKIE_NAME

from core.auth.session_ids import SESSION_COOKIE
from core.auth.tickets import BROWSER_COOKIE

PREFIX = "__Host-"

# Those that decide something. Streamlit's token against forged requests is read by its script under the plain name.
HELD = frozenset({SESSION_COOKIE, BROWSER_COOKIE, SESSION_COOKIE_NAME})


def with_host_cookies(scope: Scope, send: Send) -> tuple[Scope, Send]:
    """Translate the names for whoever stands behind: nobody there knows of the prefix. Without TLS nothing changes."""
    if scope["scheme"] not in ("https", "wss"):
        return scope, send
    given = b"; ".join(value for name, value in scope["headers"] if name.lower() == b"cookie").decode("latin-1")
    # A plain cookie of such a name may be anybody's.
    kept = [part for part in given.split(";") if part.partition("=")[0].strip() not in HELD]
    cookie = ";".join(map(_without_prefix, kept)).strip()
    headers = [(name, value) for name, value in scope["headers"] if name.lower() != b"cookie"]
    if cookie:
        headers.append((b"cookie", cookie.encode("latin-1")))

    async def send_prefixed(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [_prefixed(name, value) for name, value in message["headers"]]
        await send(message)

    return dict(scope, headers=headers), send_prefixed


def _without_prefix(part: str) -> str:
    name = part.partition("=")[0].strip()
    return part.replace(PREFIX, "", 1) if name.removeprefix(PREFIX) in HELD else part


def _prefixed(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    is_held = name.lower() == b"set-cookie" and value.partition(b"=")[0].decode("latin-1") in HELD
    return (name, PREFIX.encode() + value) if is_held else (name, value)
