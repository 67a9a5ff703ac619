"""What a person meets when the way to their provider fails: a page in plain words in place of Streamlit's two words."""

import logging

from starlette.types import Message, Receive, Scope, Send

from api.pages import page

LOGIN_PATH = "/auth/login"


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


def keep_sign_in_short() -> None:
    """Let the log say that a sign-in failed, without a trace, and without what stood in the address."""
    logging.getLogger("streamlit.web.server.starlette.starlette_auth_routes").addFilter(_shorten)


def _shorten(record: logging.LogRecord) -> bool:
    record.exc_info = None
    if record.levelno >= logging.ERROR and record.args:
        record.msg, record.args = str(record.msg).partition(":")[0], ()
    return True
