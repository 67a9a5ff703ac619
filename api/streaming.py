"""An export on the wire: nothing is sent before its first block is in hand, and a broken one is cut, never ended."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, aclosing
from uuid import UUID

from starlette.requests import Request
from starlette.types import Message, Receive, Send

from api.errors import PROTECTED
from api.services import Services
from core.actor import Actor, Forbidden
from core.audit.file import start_audit_file
from core.audit.filter import AuditFilter
from core.csv.table_file import OwnFile
from core.errors import FencepostError
from core.export.export import Export, Reader, start_export
from core.export.receipts import Via
from core.jobs.filter import JobFilter
from core.quality.file import start_sample_file

log = logging.getLogger("fencepost.api")

# Seconds between two looks at whether an export is still allowed: each is a query, and what was revoked ends within 5.
LOOK = 2


async def serve_export(
    request: Request,
    send: Send,
    services: Services,
    actor: Actor,
    job_filter: JobFilter,
    via: Via,
    *,
    kind: type[Export] = Export,
    is_allowed: Callable[[], bool],
) -> None:
    """Stream an export to whoever asked for it, as long as `is_allowed`, which is asked in a thread, says so.

    Raises `ApiError` 429 where too many are running, and `Forbidden` where it was no longer allowed before its end.
    """
    reader = Reader()
    with services.slots.take(actor.limited_as):
        starting = start_export(
            services.databases,
            job_filter,
            actor,
            via=via,
            reader=reader,
            kind=kind,
            with_total=_prefers_count(request),
            first_byte_timeout=services.settings.fencepost_first_byte_timeout,
            workers=services.settings.fencepost_export_workers,
        )
        timeout = services.settings.fencepost_send_timeout
        await send_export(request.receive, send, starting, reader, is_allowed=is_allowed, send_timeout=timeout)


async def serve_audit_file(
    request: Request,
    send: Send,
    services: Services,
    actor: Actor,
    audit_filter: AuditFilter,
    *,
    is_allowed: Callable[[], bool],
) -> None:
    """Stream the audit to whoever asked for it. Raises `ApiError` 429 where too many exports are running."""
    with services.slots.take(actor.limited_as):
        timeout = services.settings.fencepost_first_byte_timeout
        starting = start_audit_file(services.databases, audit_filter, actor, first_byte_timeout=timeout)
        timeout = services.settings.fencepost_send_timeout
        await send_export(request.receive, send, starting, Reader(), is_allowed=is_allowed, send_timeout=timeout)


async def serve_sample_file(
    request: Request,
    send: Send,
    services: Services,
    actor: Actor,
    sample_id: UUID,
    *,
    is_allowed: Callable[[], bool],
) -> None:
    """Stream a sample to whoever asked for it. Raises `ApiError` 429 where too many exports are running."""
    with services.slots.take(actor.limited_as):
        timeout = services.settings.fencepost_first_byte_timeout
        starting = start_sample_file(services.databases, sample_id, actor, first_byte_timeout=timeout)
        timeout = services.settings.fencepost_send_timeout
        await send_export(request.receive, send, starting, Reader(), is_allowed=is_allowed, send_timeout=timeout)


async def send_export(
    receive: Receive,
    send: Send,
    starting: AbstractAsyncContextManager[Export | OwnFile],
    reader: Reader,
    *,
    is_allowed: Callable[[], bool],
    send_timeout: float,
) -> None:
    """Start an export and stream it to a reader, until the end, or until the reader is gone or may not have it.

    Raises what kept the export from starting; nothing was sent then. After the first byte the response is left
    incomplete, and the server cuts the connection; only `Forbidden` is raised then, too.
    """
    stream = asyncio.create_task(_stream(send, starting, reader, send_timeout))
    watch = asyncio.create_task(_wait_for_disconnect(receive, reader))
    guard = asyncio.create_task(_wait_for_withdrawal(is_allowed))
    try:
        await asyncio.wait({stream, watch, guard}, return_when=asyncio.FIRST_COMPLETED)
        is_withdrawn = guard.done() and not stream.done()
    finally:
        watch.cancel()
        guard.cancel()
        if not stream.done():
            stream.cancel()
            await asyncio.wait({stream})
    if is_withdrawn:
        # Where it could not be told for a reason that nobody thought of, it is that reason.
        guard.result()
        raise Forbidden("This export was cut: the key or the sign-in behind it has ended. Use a valid one.")
    if not stream.cancelled():
        stream.result()


async def _stream(
    send: Send, starting: AbstractAsyncContextManager[Export | OwnFile], reader: Reader, send_timeout: float
) -> None:
    async with starting as export:
        try:
            await _send(send, _start(export), reader, send_timeout)
            async with aclosing(export.stream()) as blocks:
                async for block in blocks:
                    message = {"type": "http.response.body", "body": block, "more_body": True}
                    await _send(send, message, reader, send_timeout)
                    if reader.gone:
                        # Known before the next block is fetched, which would count as sent.
                        raise BrokenPipeError
            end = {"type": "http.response.body", "body": b"", "more_body": False}
            await _send(send, end, reader, send_timeout)
        except (FencepostError, OSError) as error:
            log.warning("export %s was cut: %s", export.export_id, type(error).__name__)


def _start(export: Export | OwnFile) -> Message:
    headers = PROTECTED | {
        "Content-Type": "text/csv; charset=utf-8",
        "Content-Disposition": f'attachment; filename="{export.filename}"',
        "X-Export-Id": str(export.export_id),
    }
    if export.total is not None:
        headers |= {"X-Total-Count": str(export.total), "Preference-Applied": "count=exact"}
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http.response.start", "status": 200, "headers": encoded}


async def _send(send: Send, message: Message, reader: Reader, send_timeout: float) -> None:
    """Send a message within the time limit.

    Raises `OSError` (`TimeoutError` is one) where the reader is gone: ASGI lets `send` say so, too.
    """
    try:
        async with asyncio.timeout(send_timeout):
            await send(message)
    except OSError:
        reader.gone = True
        raise


async def _wait_for_disconnect(receive: Receive, reader: Reader) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    reader.gone = True


async def _wait_for_withdrawal(is_allowed: Callable[[], bool]) -> None:
    """Return when an export is no longer allowed. That it cannot be asked for a moment is no reason to cut it."""
    while True:
        await asyncio.sleep(LOOK)
        try:
            if not await asyncio.to_thread(is_allowed):
                log.warning("an export was cut: the key or the sign-in behind it has ended")
                return
        except FencepostError:
            log.warning("it could not be asked whether a running export is still allowed")


def _prefers_count(request: Request) -> bool:
    """RFC 7240: preferences are separated by commas, names are case-insensitive, and a value may stand in quotes."""
    preferences = ",".join(request.headers.getlist("prefer")).split(",")
    asked = ("".join(preference.lower().split()).split(";")[0] for preference in preferences)
    return not {"count=exact", 'count="exact"'}.isdisjoint(asked)
