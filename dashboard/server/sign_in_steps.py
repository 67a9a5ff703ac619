"""The way to the provider and back: what it is asked for, and the page that one comes back to."""

import re
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import Message, Scope, Send

# Holds the page from which somebody went to their provider.
PAGE_COOKIE = "fencepost_page"

# Seconds that one may take at the provider.
_LONGEST_WAY = 600

# Characters: browsers keep no cookie above 4,096 bytes.
_LONGEST_PAGE = 3_800

# A page of ours with its filter. One slash and letters: an address of another server never looks so.
_PAGE = re.compile(r"/[a-z]*(\?[!-~]*)?")


def with_fresh_sign_in(scope: Scope, send: Send, hours: float, *, again: bool) -> Send:
    """Let the provider ask again whom it knows for longer than `hours`, and remember where to come back to.

    That is added to the address of the provider, because `secrets.toml` may hold its parameters in several places, of
    which Streamlit passes some on. Providers that do not know `max_age` know `prompt`: whoever was signed in here, and
    signs in `again`, is asked in any case.
    """
    longest = int(hours * 3600)

    async def send_fresh(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            parts = urlsplit(headers.get("location", ""))
            if parts.netloc:
                asked = dict(parse_qsl(parts.query, keep_blank_values=True))
                given = asked.get("max_age", "")
                asked["max_age"] = str(min(int(given), longest) if given.isdecimal() else longest)
                if again:
                    asked["prompt"] = "login"
                headers["location"] = parts._replace(query=urlencode(asked)).geturl()
                headers.append("set-cookie", _keep(_find_referrer(Headers(scope=scope))))
        await send(message)

    return send_fresh


def with_return(scope: Scope, send: Send) -> Send:
    """Lead whoever was let in to the page that they came from."""
    kept = find_page(scope)

    async def send_there(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            if "location" in headers:
                headers["location"] = kept
                headers.append("set-cookie", _keep(None))
        await send(message)

    return send_there


def find_page(scope: Scope) -> str:
    """Return the page that somebody signs in for; the start page where none is known."""
    page = unquote(HTTPConnection(scope).cookies.get(PAGE_COOKIE, ""))
    return page if _PAGE.fullmatch(page) else "/"


def is_own_step(headers: Headers) -> bool:
    """Tell whether a page of ours leads here: no other site may sign somebody out (Fetch Metadata, section 2.3).

    Browsers say so over TLS and on one's own machine; elsewhere the referrer tells, which our policy lets through.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        # `none`: somebody has written the address, or kept it.
        return site in ("same-origin", "none")
    return urlsplit(headers.get("referer", "")).netloc == headers.get("host", "")


def _find_referrer(headers: Headers) -> str | None:
    """Return the page of ours that leads here, without its server."""
    if not is_own_step(headers):
        return None
    parts = urlsplit(headers.get("referer", ""))
    page = parts._replace(scheme="", netloc="", fragment="").geturl()
    return page if _PAGE.fullmatch(page) else None


def _keep(page: str | None) -> str:
    """Write the cookie that keeps a page, or that forgets it."""
    value = quote(page or "", safe="")
    age = _LONGEST_WAY if 0 < len(value) <= _LONGEST_PAGE else 0
    return f"{PAGE_COOKIE}={value if age else ''}; Path=/oauth2callback; Max-Age={age}; HttpOnly; SameSite=Lax"
