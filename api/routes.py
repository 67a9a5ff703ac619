"""The routes of the API, and the ASGI application that they make."""

import hmac
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from api.authentication import authenticate
from api.errors import PROTECTED, ApiError, method_not_allowed, not_found, respond
from api.openapi import DOCUMENT
from api.parameters import query_params, take_no_params
from api.refusals import recorded_refusals
from api.services import Services, ask
from api.streaming import serve_export
from core.actor import Actor
from core.actor import Scope as KeyScope
from core.auth.api_keys import is_key_of, is_key_valid
from core.db.json_rows import print_row
from core.errors import DatabaseUnavailable, QueryTooSlow
from core.export.export import Export
from core.export.receipts import Via, find_receipt
from core.export.review_export import ReviewExport, parse_review_filter
from core.jobs.filter import JobFilter
from core.jobs.job import find_job
from core.jobs.wall import Wall
from core.metrics.scrape import CONTENT_TYPE, scrape, scrape_process
from core.program import VERSION
from core.review.history import list_reviews

EXPORT_PATH = "/api/v1/jobs/export"
REVIEWS_PATH = "/api/v1/reviews/export"
JOB_REVIEWS_PATH = re.compile(r"/api/v1/jobs/([^/]+)/reviews")
RECEIPT_PATH = "/api/v1/exports/"
OPENAPI_PATH = "/api/v1/openapi.json"
HEALTH_PATH = "/health"
READY_PATH = "/ready"
METRICS_PATH = "/metrics"

# Seconds; a probe that waits longer than its own limit learns nothing.
HEALTH_TIMEOUT = 4

Handler = Callable[[Request, Send], Awaitable[Response | None]]


class Api:
    """The ASGI application of the API. A handler returns a response, or sends one itself and returns None."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        await respond(send, lambda sending: self._handle(request, sending))

    async def _handle(self, request: Request, send: Send) -> Response | None:
        return await self._find_handler(request)(request, send)

    def _find_handler(self, request: Request) -> Handler:
        path = request.scope["path"]
        handlers: dict[str, Handler] = {
            EXPORT_PATH: self._export,
            REVIEWS_PATH: self._export_reviews,
            OPENAPI_PATH: self._openapi,
            HEALTH_PATH: self._health,
            READY_PATH: self._ready,
            METRICS_PATH: self._metrics,
        }
        handler = handlers.get(path)
        if handler is None and path.startswith(RECEIPT_PATH) and "/" not in path.removeprefix(RECEIPT_PATH):
            handler = self._receipt
        if handler is None and JOB_REVIEWS_PATH.fullmatch(path):
            handler = self._job_reviews
        if handler is None:
            raise not_found()
        if request.method != "GET":
            raise method_not_allowed()
        return handler

    async def _export(self, request: Request, send: Send) -> None:
        actor = await authenticate(request, self._services)
        await self._serve(request, send, actor, JobFilter.from_params(query_params(request)), Export)

    async def _export_reviews(self, request: Request, send: Send) -> None:
        actor = await authenticate(request, self._services, KeyScope.REVIEW_READ)
        await self._serve(request, send, actor, parse_review_filter(query_params(request)), ReviewExport)

    async def _serve(
        self, request: Request, send: Send, actor: Actor, job_filter: JobFilter, kind: type[Export]
    ) -> None:
        details = {"via": Via.API.value, "filter": job_filter.to_params()}
        is_allowed = partial(is_key_valid, self._services.databases.ours, actor.name.removeprefix("key:"))
        async with recorded_refusals(self._services, actor, details):
            actor.check_client(job_filter)
            await serve_export(
                request, send, self._services, actor, job_filter, Via.API, kind=kind, is_allowed=is_allowed
            )

    async def _job_reviews(self, request: Request, send: Send) -> Response:
        actor = await authenticate(request, self._services, KeyScope.REVIEW_READ)
        match = JOB_REVIEWS_PATH.fullmatch(request.scope["path"])
        try:
            job_id = UUID(match[1] if match else "")
        except ValueError:
            raise not_found() from None
        take_no_params(request)
        found = await ask(list_reviews, self._services.databases.ours, actor.wall, job_id)
        if not found and not await ask(_has_job, self._services, actor.wall, job_id):
            raise not_found()
        return JSONResponse({"job_id": str(job_id), "reviews": list(map(print_row, found))}, headers=PROTECTED)

    async def _receipt(self, request: Request, send: Send) -> Response:
        actor = await authenticate(request, self._services, KeyScope.JOB_READ, KeyScope.REVIEW_READ)
        try:
            export_id = UUID(request.scope["path"].removeprefix(RECEIPT_PATH))
        except ValueError:
            raise not_found() from None
        receipt = await ask(find_receipt, self._services.databases, export_id)
        if receipt is None or not await self._may_see(actor, receipt):
            raise not_found()
        take_no_params(request)
        return JSONResponse(receipt, headers=PROTECTED)

    async def _may_see(self, actor: Actor, receipt: Mapping[str, Any]) -> bool:
        """A receipt tells what was searched for: that of staff is not their client's, whose jobs it was about."""
        client = actor.wall.only
        if client is None:
            return actor.wall.sees_all
        kind, _, key_id = receipt["requested_by"].partition(":")
        if kind != "key" or receipt["client_id"] != client:
            return False
        return await ask(is_key_of, self._services.databases.ours, key_id, client)

    async def _openapi(self, request: Request, send: Send) -> Response:
        return JSONResponse(DOCUMENT, headers=PROTECTED)

    async def _health(self, request: Request, send: Send) -> Response:
        await ask(_select_one, self._services, timeout=HEALTH_TIMEOUT)
        # The body is what monitors compare; which version answers stands beside it.
        return JSONResponse({"status": "ok"}, headers=PROTECTED | {"X-Fencepost-Version": VERSION})

    async def _ready(self, request: Request, send: Send) -> Response:
        """Tell whether requests may be sent here: the databases answer, and the tables are those of this version."""
        await ask(self._services.databases.check, timeout=HEALTH_TIMEOUT)
        return JSONResponse({"status": "ready"}, headers=PROTECTED | {"X-Fencepost-Version": VERSION})

    async def _metrics(self, request: Request, send: Send) -> Response:
        """Answer a monitor that has the token of the setting; where there is none, there is no such page."""
        token = self._services.settings.fencepost_metrics_token
        if token is None:
            raise not_found()
        given = request.headers.get("authorization", "")
        expected = f"Bearer {token.get_secret_value()}"
        if not hmac.compare_digest(given.encode(), expected.encode()):
            message = "No valid token was given: send the value of FENCEPOST_METRICS_TOKEN as `Authorization: Bearer`."
            raise ApiError(401, "UNAUTHORIZED", message, {"WWW-Authenticate": "Bearer"})
        databases = self._services.databases
        try:
            body = await ask(scrape, databases, timeout=HEALTH_TIMEOUT)
        except (DatabaseUnavailable, QueryTooSlow):
            # Now of all times the monitor wants to know what becomes of requests. In no thread: all may wait.
            body = scrape_process(databases)
        return Response(body, headers=PROTECTED, media_type=CONTENT_TYPE)


def handles(path: str) -> bool:
    """Tell whether a path belongs to the API."""
    return path in ("/api", HEALTH_PATH, READY_PATH, METRICS_PATH) or path.startswith("/api/")


def _has_job(services: Services, wall: Wall, job_id: UUID) -> bool:
    with services.databases.source.transaction(timeout=services.settings.fencepost_page_timeout) as connection:
        return find_job(connection, job_id, wall) is not None


def _select_one(services: Services) -> None:
    databases = services.databases
    for database in {databases.ours, databases.source}:
        with database.transaction(timeout=HEALTH_TIMEOUT) as connection:
            connection.execute(text("SELECT 1"))
