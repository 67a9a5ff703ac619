"""Sessions that the server holds: between the browser, which has an id, and Streamlit, which knows people by cookies.

Streamlit writes what a provider says of somebody, and its tokens, into cookies of the browser. Here these never leave
the server: the answer that brings somebody in is given a cookie with an id in their place, and what Streamlit is to
read is added to the requests that bring the id.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.auth_util import get_cookie_with_chunks, get_origin_from_redirect_uri
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value, decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import TOKENS_COOKIE_NAME, USER_COOKIE_NAME

from api.authentication import remote_address
from api.pages import page
from api.services import ask
from core.auth.session_ids import SESSION_COOKIE, SessionIds
from core.auth.sign_in import Door
from core.errors import DatabaseUnavailable
from dashboard.server.sign_in_failure import LOGOUT_PATH, RETURN_PATH, with_plain_return
from dashboard.server.sign_in_steps import with_return

# `_streamlit_user`, `_streamlit_user_tokens`, and the parts of both.
_STREAMLITS = re.compile(rf"{USER_COOKIE_NAME}(_tokens)?(_\d+)?", re.ASCII)

# Seconds for which a browser keeps its id. That it knows one lets the provider ask again, long after the session ended.
MAX_AGE = 30 * 24 * 60 * 60

_ATTRIBUTES = "Path=/; HttpOnly; SameSite=Lax"


class HeldSessions:
    """The ASGI layer around Streamlit that keeps its cookies about people from the browser."""

    def __init__(self, app: ASGIApp, *, door: Door, ids: SessionIds) -> None:
        self._app = app
        self._door = door
        self._ids = ids

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        session = self._ids.read(HTTPConnection(scope).cookies.get(SESSION_COOKIE, ""))
        if scope["type"] == "websocket":
            person = {"origin": get_origin_from_redirect_uri(), "is_logged_in": True, "session": session}
            await self._app(_with_cookies(scope, {USER_COOKIE_NAME: person} if session else {}), receive, send)
        elif scope["path"] == RETURN_PATH:
            swapping = self._bring_in(scope, receive, with_return(scope, send), session)
            await self._app(_with_cookies(scope, {}), receive, with_plain_return(scope, receive, swapping))
        elif scope["path"] == LOGOUT_PATH:
            await self._let_out(scope, receive, send, session)
        else:
            await self._app(_with_cookies(scope, {}), receive, _without_cookies(send))

    def _bring_in(self, scope: Scope, receive: Receive, send: Send, former: str | None) -> Send:
        """Let the answer that brings somebody in begin a session, and bring its id in the place of claims."""
        is_replaced = False

        async def send_id(message: Message) -> None:
            nonlocal is_replaced
            if message["type"] == "http.response.start":
                user, tokens = (_read_cookie(message, name) for name in (USER_COOKIE_NAME, TOKENS_COOKIE_NAME))
                if user is not None:
                    made = self._ids.make()
                    refusal = await self._sign_in(scope, self._ids.read(made) or "", user, tokens or {}, former)
                    if refusal is not None:
                        is_replaced = True
                        await page(*refusal)(scope, receive, send)
                        return
                    _drop_cookies(message)
                    _set_cookie(message, SESSION_COOKIE, made, MAX_AGE)
                    # Left by a version whose cookies said who somebody is.
                    for name in filter(_is_streamlits, HTTPConnection(scope).cookies):
                        _set_cookie(message, name, "", 0)
            if not is_replaced:
                await send(message)

        return send_id

    async def _sign_in(
        self, scope: Scope, session: str, user: dict[str, Any], tokens: dict[str, Any], former: str | None
    ) -> tuple[int, str, str] | None:
        """Begin a session; return what to say where there is none."""
        connection = HTTPConnection(scope)

        def begin() -> str | None:
            return self._door.sign_in(
                session,
                user,
                str(user.get("provider")),
                id_token=tokens.get("id_token"),
                remote_address=remote_address(connection),
                browser=connection.headers.get("user-agent"),
                instead_of=former,
            )

        try:
            sentence = await ask(begin)
        except DatabaseUnavailable:
            return 503, "Sign-in is not possible at the moment", "The database does not answer: try again in a minute."
        return None if sentence is None else (403, "You are not signed in", sentence)

    async def _let_out(self, scope: Scope, receive: Receive, send: Send, session: str | None) -> None:
        """End the session before Streamlit leads to the provider: a copy of the cookie is worth nothing any more."""
        try:
            leaving = await ask(self._door.leave, session) if session else None
        except DatabaseUnavailable:
            sentence = "The database does not answer, so your session goes on: sign out again in a minute."
            await page(503, "You are still signed in", sentence)(scope, receive, send)
            return
        known: dict[str, dict[str, Any]] = {}
        if leaving is not None:
            known[USER_COOKIE_NAME] = {"provider": leaving.provider}
            if leaving.id_token is not None:
                known[TOKENS_COOKIE_NAME] = {"id_token": leaving.id_token}

        async def send_forgetting(message: Message) -> None:
            if message["type"] == "http.response.start":
                _drop_cookies(message)
                _set_cookie(message, SESSION_COOKIE, "", 0)
            await send(message)

        await self._app(_with_cookies(scope, known), receive, send_forgetting)


def _with_cookies(scope: Scope, known: dict[str, dict[str, Any]]) -> Scope:
    """Return the request with what Streamlit is to know, and without cookies that say they were Streamlit's."""
    secret = get_cookie_secret()
    given = [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"cookie"]
    kept = [part for part in "; ".join(given).split(";") if not _is_streamlits(part.partition("=")[0])]
    kept += [f"{name}={create_signed_value(secret, name, json.dumps(value)).decode()}" for name, value in known.items()]
    headers = [(name, value) for name, value in scope["headers"] if name.lower() != b"cookie"]
    cookie = ";".join(kept).strip()
    return dict(scope, headers=[*headers, (b"cookie", cookie.encode("latin-1"))] if cookie else headers)


def _without_cookies(send: Send) -> Send:
    async def send_bare(message: Message) -> None:
        if message["type"] == "http.response.start":
            _drop_cookies(message)
        await send(message)

    return send_bare


def _read_cookie(message: Message, name: str) -> dict[str, Any] | None:
    """Return what a cookie of Streamlit's in an answer says, put together from its parts."""
    values: dict[str, str] = {}
    for text in _set_cookies(message):
        values |= cookie_parser(text.partition(";")[0])

    def read(part: str) -> bytes | None:
        return decode_signed_value(get_cookie_secret(), part, values.get(part, ""))

    found = get_cookie_with_chunks(read, name)
    return None if not found else dict(json.loads(found))


def _drop_cookies(message: Message) -> None:
    message["headers"] = [
        (name, value)
        for name, value in message["headers"]
        if name.lower() != b"set-cookie" or not _is_streamlits(value.decode("latin-1").partition("=")[0])
    ]


def _set_cookie(message: Message, name: str, value: str, seconds: int) -> None:
    MutableHeaders(scope=message).append("set-cookie", f"{name}={value}; {_ATTRIBUTES}; Max-Age={seconds}")


def _set_cookies(message: Message) -> Iterable[str]:
    return [value.decode("latin-1") for name, value in message["headers"] if name.lower() == b"set-cookie"]


def _is_streamlits(name: str) -> bool:
    return _STREAMLITS.fullmatch(name.strip()) is not None
