"""What a person meets when the way to their provider fails: a page in plain words in place of Streamlit's two words."""

import logging
import re

from starlette.datastructures import Headers, QueryParams
from starlette.types import Message, Receive, Scope, Send
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from api.pages import page
from dashboard.server.sign_in_steps import find_page

LOGIN_PATH = "/auth/login"
BACKCHANNEL_PATH = "/auth/backchannel-logout"
LOGOUT_PATH = "/auth/logout"
RETURN_PATH = "/oauth2callback"

# What it means that the provider sends somebody back with an error (OpenID Connect Core, section 3.1.2.6; RFC 6749,
# section 4.1.2.1), and what to do. Any other is a matter of how the two were set up.
_AGAIN = "sign in again; if this comes back, tell whoever runs Fencepost."
_REASONS = {
    "access_denied": "Your provider did not let you in: you left its page, or your account may not use Fencepost. Sign "
    "in again, with another account if you have one, or ask whoever looks after your accounts for access.",
    **dict.fromkeys(
        ("login_required", "interaction_required", "consent_required", "account_selection_required"),
        f"Your provider wanted to ask you something, and could not: {_AGAIN}",
    ),
    **dict.fromkeys(
        ("server_error", "temporarily_unavailable"),
        "Your provider has a fault at the moment: wait a minute, then " + _AGAIN,
    ),
}
_MISCONFIGURED = (
    "Your provider does not accept Fencepost as it is set up: tell whoever runs Fencepost to compare the client, its "
    "redirect_uri and its scopes with what the provider knows."
)
_TOO_LATE = f"It took too long, this page was opened once more, or your provider and this server disagreed: {_AGAIN}"


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
    error = params.get("error")
    reason = _TOO_LATE if error is None else _REASONS.get(error, _MISCONFIGURED)
    failed = False

    async def send_plain(message: Message) -> None:
        nonlocal failed
        if message["type"] == "http.response.start" and not _brings_in(message):
            failed = True
            answer = page(400, "You are not signed in", reason, link=(find_page(scope), "Back to the page you wanted"))
            await answer(scope, receive, send)
        elif not failed:
            await send(message)

    return send_plain


def _brings_in(message: Message) -> bool:
    cookies = Headers(raw=message["headers"]).getlist("set-cookie")
    return any(re.match(rf'{USER_COOKIE_NAME}="?[^";]', cookie) for cookie in cookies)


def keep_sign_in_short() -> None:
    """Let the log say that a sign-in failed, without a trace, and without what stood in the address."""
    logging.getLogger("streamlit.web.server.starlette.starlette_auth_routes").addFilter(_shorten)


def _shorten(record: logging.LogRecord) -> bool:
    record.exc_info = None
    if record.levelno >= logging.ERROR and record.args:
        record.msg, record.args = str(record.msg).partition(":")[0], ()
    return True
