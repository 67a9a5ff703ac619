"""What a person meets when the way to their provider fails: a page in plain words in place of Streamlit's two words."""

import logging
import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers, QueryParams
from starlette.types import Message, Receive, Scope, Send
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from api.pages import page

LOGIN_PATH = "/auth/login"
LOGOUT_PATH = "/auth/logout"
RETURN_PATH = "/oauth2callback"


def with_plain_failure(scope: Scope, receive: Receive, send: Send) -> Send:
    """Replace an answer of the login route that is an error."""
    failed = False

    async def send_plain(message: Message) -> None:
        nonlocal failed
        if message["type"] == "http.response.start" and message["status"] >= 400:
            failed = True
            answer = page(
                503,
                "Sign-in is not possible at the moment",
                "Your sign-in provider cannot be reached, or does not answer as it should. Go back and try again in a "
                "minute; if it stays, tell whoever runs Fencepost.",
                {"Retry-After": "60"},
            )
            await answer(scope, receive, send)
        elif not failed:
            await send(message)

    return send_plain


def with_plain_return(scope: Scope, receive: Receive, send: Send) -> Send:
    """Say it where the way back from the provider brings nobody in; Streamlit shows the start page without a word.

    Without parameters it is the way back from signing out there.
    """
    params = QueryParams(scope["query_string"])
    if not {"code", "state", "error"} & set(params):
        return send
    reason = "did not let you in" if params.get("error") == "access_denied" else "and this server did not get together"
    failed = False

    async def send_plain(message: Message) -> None:
        nonlocal failed
        if message["type"] == "http.response.start" and not _brings_in(message):
            failed = True
            answer = page(
                400,
                "You are not signed in",
                f"Your sign-in provider {reason}. It may have taken too long, or this page was opened once more: go to "
                "the start page and sign in again; if it stays, tell whoever runs Fencepost.",
            )
            await answer(scope, receive, send)
        elif not failed:
            await send(message)

    return send_plain


def _brings_in(message: Message) -> bool:
    cookies = Headers(raw=message["headers"]).getlist("set-cookie")
    return any(re.match(rf'{USER_COOKIE_NAME}="?[^";]', cookie) for cookie in cookies)


def is_own_step(headers: Headers) -> bool:
    """Tell whether a page of ours leads here: no other site may sign somebody out (Fetch Metadata, section 2.3).

    Browsers say so over TLS and on one's own machine; elsewhere the referrer tells, which our policy lets through.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    return urlsplit(headers.get("referer", "")).netloc == headers.get("host", "")


def keep_sign_in_short() -> None:
    """Let the log say that a sign-in failed, without a trace, and without what stood in the address."""
    logging.getLogger("streamlit.web.server.starlette.starlette_auth_routes").addFilter(_shorten)


def _shorten(record: logging.LogRecord) -> bool:
    record.exc_info = None
    if record.levelno >= logging.ERROR and record.args:
        record.msg, record.args = str(record.msg).partition(":")[0], ()
    return True
