"""One line in the log for each request: method, path, status, milliseconds, id. Never a query string, key or ticket."""

import logging
import re
import time
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.metrics.registry import REQUESTS
from core.request_id import REQUEST_ID
from core.tracing import span

log = logging.getLogger("fencepost.requests")

HEADER = "X-Request-Id"

# An id that somebody in front has given is kept where it can harm no log.
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

# What somebody may have put into the path: a key, a query with an encoded question mark, and what is longer than any
# name of ours, as a ticket is.
_KEY = re.compile(r"fp_\w*")
_QUERY = re.compile(r"[?&=;].*", re.DOTALL)
_LONG = re.compile(r"[^/]{70,}")

# The routes that are counted, by how their paths begin; what is none of these counts as the pages'.
_ROUTES = ("/api/v1/jobs/export", "/api/v1/exports", "/api", "/downloads", "/health", "/ready", "/metrics", "/auth")

# What is told of methods; anybody may send any word.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestLog:
    """The layer around an application that gives each request an id and logs how it ended."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        request_id = given if _SANE_ID.fullmatch(given) else uuid4().hex
        REQUEST_ID.set(request_id)
        started = time.perf_counter()
        status, is_complete = 0, False

        async def send_noting(message: Message) -> None:
            nonlocal status, is_complete
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = request_id
            elif message["type"] == "http.response.body":
                is_complete = not message.get("more_body", False)
            await send(message)

        route = name_route(scope["path"])
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        attributes = {"http.request.method": method, "http.route": route}
        try:
            with span(
                f"{method} {route}", attributes, parent=Headers(scope=scope).get("traceparent"), is_parent=True
            ) as traced:
                try:
                    await self._app(scope, receive, send_noting)
                finally:
                    traced.note({"http.response.status_code": status})
        finally:
            path = _printable(scope["path"])
            milliseconds = (time.perf_counter() - started) * 1000
            end = "" if is_complete else " cut"
            fields = {"method": scope["method"], "path": path, "status": status, "milliseconds": round(milliseconds)}
            log.info(
                *("%s %s %s%s %.0f ms %s", scope["method"], path, status, end, milliseconds, request_id),
                extra=fields | {"request_id": request_id, "is_complete": is_complete},
            )
            REQUESTS.labels(route, str(status)).inc()


def _printable(path: str) -> str:
    """Return a path that stays within its line and tells no key, ticket or query, whatever was sent."""
    return _LONG.sub("(long)", _QUERY.sub("(cut)", _KEY.sub("(a key)", path)))[:200].encode("unicode_escape").decode()


def name_route(path: str) -> str:
    """Name the route of a path; ids and whatever else stands in it are not told."""
    return next((route for route in _ROUTES if path == route or path.startswith(f"{route}/")), "pages")
