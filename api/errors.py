"""One table from exception to response: the errors of the API, as the contract gives them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from starlette.responses import JSONResponse, Response
from starlette.types import Message, Send

from core.actor import Forbidden
from core.errors import DatabaseUnavailable, ExportTooSlow, InvalidParameter, QueryTooSlow

log = logging.getLogger("fencepost.api")

# Seconds after which trying again makes sense: a database that restarts is back by then.
RETRY_DATABASE = 5

PROTECTED = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class ApiError(Exception):
    """An error response: status, code, a sentence that says what is wrong and what to do, further headers."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}

    def response(self) -> JSONResponse:
        body = {"error": self.code, "message": self.message, "statusCode": self.status}
        return JSONResponse(body, self.status, PROTECTED | self.headers)


def not_found() -> ApiError:
    return ApiError(404, "NOT_FOUND", "There is nothing at this address: see /api/v1/openapi.json for what there is.")


def method_not_allowed() -> ApiError:
    return ApiError(405, "METHOD_NOT_ALLOWED", "This address answers GET only: use GET.", {"Allow": "GET"})


def unauthorized() -> ApiError:
    """RFC 6750: one and the same answer for every key that is not accepted."""
    message = "No valid API key was given: send one as `Authorization: Bearer <API key>`."
    return ApiError(401, "UNAUTHORIZED", message, {"WWW-Authenticate": "Bearer"})


def forbidden(message: str) -> ApiError:
    return ApiError(403, "FORBIDDEN", message)


def rate_limited(message: str, retry_after: int) -> ApiError:
    return ApiError(429, "RATE_LIMITED", message, {"Retry-After": str(retry_after)})


def to_api_error(error: Exception) -> ApiError:
    """Return the response for any exception; of those that are ours to mend only the class is told, in the log."""
    match error:
        case ApiError():
            return error
        case InvalidParameter():
            return ApiError(400, "INVALID_REQUEST", str(error))
        case Forbidden():
            return forbidden(str(error))
        case ExportTooSlow():
            return ApiError(503, "UNAVAILABLE", str(error), {"Retry-After": str(RETRY_DATABASE)})
        case DatabaseUnavailable() | QueryTooSlow():
            message = f"The database cannot be asked at the moment: try again in {RETRY_DATABASE} seconds."
            return ApiError(503, "UNAVAILABLE", message, {"Retry-After": str(RETRY_DATABASE)})
        case _:
            log.error("internal error: %s", type(error).__qualname__)
            return ApiError(500, "INTERNAL_ERROR", "Something went wrong here: try again, and report it if it stays.")


async def respond(
    send: Send,
    handle: Callable[[Send], Awaitable[Response | None]],
    to_response: Callable[[ApiError], Response] = ApiError.response,
) -> None:
    """Run a handler, which returns its response or has sent it itself, and answer for what it raises.

    Where a body has begun there is nothing left to say: the response stays incomplete, and the server cuts it.
    """
    started = False

    async def send_noting_start(message: Message) -> None:
        nonlocal started
        started = True
        await send(message)

    try:
        response = await handle(send_noting_start)
    except asyncio.CancelledError:
        # The server shuts down; it would log a trace for what is no fault, and cuts the connection anyway.
        return
    except Exception as error:
        response = to_response(to_api_error(error))
        if started:
            return
    if response is not None:
        await response({"type": "http"}, _receive_nothing, send)


async def _receive_nothing() -> Message:
    return {"type": "http.disconnect"}
