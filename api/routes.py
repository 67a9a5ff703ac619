"""The routes of the API, and the ASGI application that they make."""

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl
from uuid import UUID

from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from api.authentication import authenticate
from api.errors import PROTECTED, method_not_allowed, not_found, to_api_error
from api.openapi import DOCUMENT
from api.services import Services, ask
from api.streaming import send_export
from core.access import Actor
from core.errors import InvalidParameter
from core.exports import Reader, start_export
from core.filters import JobFilter
from core.receipts import Via, find_receipt

EXPORT_PATH = "/api/v1/jobs/export"
RECEIPT_PATH = "/api/v1/exports/"
OPENAPI_PATH = "/api/v1/openapi.json"
HEALTH_PATH = "/health"

# More than any request needs, and few enough that nobody makes the parser work.
MOST_PARAMETERS = 100

Handler = Callable[[Request, Send], Awaitable[Response | None]]


class Api:
    """The ASGI application of the API. A handler returns a response, or sends one itself and returns None."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        started = False

        async def send_noting_start(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            response = await self._find_handler(request)(request, send_noting_start)
        except Exception as error:
            answer = to_api_error(error)
            # Where a body has begun there is nothing left to say: the server cuts what is left incomplete.
            response = None if started else answer.response()
        if response is not None:
            await response(scope, receive, send)

    def _find_handler(self, request: Request) -> Handler:
        path = request.scope["path"]
        handlers: dict[str, Handler] = {
            EXPORT_PATH: self._export,
            OPENAPI_PATH: self._openapi,
            HEALTH_PATH: self._health,
        }
        handler = handlers.get(path)
        if handler is None and path.startswith(RECEIPT_PATH) and "/" not in path.removeprefix(RECEIPT_PATH):
            handler = self._receipt
        if handler is None:
            raise not_found()
        if request.method != "GET":
            raise method_not_allowed()
        return handler

    async def _export(self, request: Request, send: Send) -> None:
        actor = await authenticate(request, self._services)
        job_filter = JobFilter.from_params(query_params(request))
        actor.check_client(job_filter)
        await serve_export(request, send, self._services, actor, job_filter, Via.API)

    async def _receipt(self, request: Request, send: Send) -> Response:
        actor = await authenticate(request, self._services)
        try:
            export_id = UUID(request.scope["path"].removeprefix(RECEIPT_PATH))
        except ValueError:
            raise not_found() from None
        receipt = await ask(find_receipt, self._services.databases.ours, export_id)
        if receipt is None or actor.wall.client_id not in (None, receipt["client_id"]):
            raise not_found()
        return JSONResponse(receipt, headers=PROTECTED)

    async def _openapi(self, request: Request, send: Send) -> Response:
        return JSONResponse(DOCUMENT, headers=PROTECTED)

    async def _health(self, request: Request, send: Send) -> Response:
        await ask(_select_one, self._services)
        return JSONResponse({"status": "ok"}, headers=PROTECTED)


async def serve_export(
    request: Request, send: Send, services: Services, actor: Actor, job_filter: JobFilter, via: Via
) -> None:
    """Stream an export to whoever asked for it. Raises `ApiError` 429 where too many are running."""
    reader = Reader()
    with services.slots.take(actor.limited_as):
        starting = start_export(
            services.databases,
            job_filter,
            actor.wall,
            requested_by=actor.name,
            via=via,
            reader=reader,
            with_total=_prefers_count(request),
            first_byte_timeout=services.settings.fencepost_first_byte_timeout,
        )
        timeout = services.settings.fencepost_send_timeout
        await send_export(request.receive, send, starting, reader, send_timeout=timeout)


def query_params(request: Request) -> list[tuple[str, str]]:
    """Read the parameters of a request without changing or leaving out any; raise `InvalidParameter` otherwise."""
    try:
        return parse_qsl(
            request.scope["query_string"].decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MOST_PARAMETERS,
        )
    except ValueError:
        raise InvalidParameter("The parameters are too many or not UTF-8: percent-encode them as UTF-8.") from None


def handles(path: str) -> bool:
    """Tell whether a path belongs to the API."""
    return path in ("/api", HEALTH_PATH) or path.startswith("/api/")


def _prefers_count(request: Request) -> bool:
    """RFC 7240: preferences are separated by commas, and names are case-insensitive."""
    preferences = ",".join(request.headers.getlist("prefer")).split(",")
    return any("".join(preference.lower().split()).split(";")[0] == "count=exact" for preference in preferences)


def _select_one(services: Services) -> None:
    databases = services.databases
    for database in {databases.ours, databases.source}:
        with database.transaction(timeout=5) as connection:
            connection.execute(text("SELECT 1"))
