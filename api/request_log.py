"""One line in the log for each request: method, path, status, milliseconds, id. Never a query string, key or ticket."""

import logging
import re
import time
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("fencepost.requests")

REQUEST_ID = "X-Request-Id"

# An id that somebody in front has given is kept where it can harm no log.
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

# What may be a key that somebody has put into the path.
_KEY = re.compile(r"fp_\w*")

# Files of the pages are asked for by the dozen; only what goes wrong with them is of interest.
_QUIET = ("/static/", "/_stcore/health", "/_stcore/host-config", "/media/", "/component/", "/health")


class RequestLog:
    """The layer around an application that gives each request an id and logs how it ended."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = given if _SANE_ID.fullmatch(given) else uuid4().hex
        started = time.perf_counter()
        status, is_complete = 0, False

        async def send_noting(message: Message) -> None:
            nonlocal status, is_complete
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            elif message["type"] == "http.response.body":
                is_complete = not message.get("more_body", False)
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        finally:
            path = _printable(scope["path"])
            level = logging.DEBUG if status < 400 and is_complete and path.startswith(_QUIET) else logging.INFO
            milliseconds = (time.perf_counter() - started) * 1000
            end = "" if is_complete else " cut"
            log.log(level, "%s %s %s%s %.0f ms %s", scope["method"], path, status, end, milliseconds, request_id)


def _printable(path: str) -> str:
    """Return a path that stays within its line and tells no key, whatever was sent."""
    return _KEY.sub("(a key)", path)[:200].encode("unicode_escape").decode()
