"""An export on the wire: nothing is sent before its first block is in hand, and a broken one is cut, never ended."""

import asyncio
import logging
from contextlib import AbstractAsyncContextManager, aclosing

from starlette.types import Receive, Send

from api.errors import PROTECTED
from core.errors import FencepostError
from core.exports import Export, Reader

log = logging.getLogger("fencepost.api")


async def send_export(
    receive: Receive,
    send: Send,
    starting: AbstractAsyncContextManager[Export],
    reader: Reader,
    *,
    send_timeout: float,
) -> None:
    """Start an export and stream it to a reader, until the end or until the reader is gone.

    Raises what kept the export from starting; nothing was sent then. After the first byte nothing is raised: the
    response is left incomplete, and the server cuts the connection.
    """
    stream = asyncio.create_task(_stream(send, starting, reader, send_timeout))
    watch = asyncio.create_task(_wait_for_disconnect(receive))
    try:
        await asyncio.wait({stream, watch}, return_when=asyncio.FIRST_COMPLETED)
        if not stream.done():
            reader.gone = True
    finally:
        watch.cancel()
        if not stream.done():
            stream.cancel()
            await asyncio.wait({stream})
    if not stream.cancelled():
        stream.result()


async def _stream(
    send: Send, starting: AbstractAsyncContextManager[Export], reader: Reader, send_timeout: float
) -> None:
    async with starting as export:
        await _send_start(send, export)
        try:
            async with aclosing(export.stream()) as blocks:
                async for block in blocks:
                    await _send_block(send, block, reader, send_timeout)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except (FencepostError, TimeoutError) as error:
            log.warning("export %s was cut: %s", export.export_id, type(error).__name__)


async def _send_start(send: Send, export: Export) -> None:
    headers = PROTECTED | {
        "Content-Type": "text/csv; charset=utf-8",
        "Content-Disposition": f'attachment; filename="{export.filename}"',
        "X-Export-Id": str(export.export_id),
    }
    if export.total is not None:
        headers |= {"X-Total-Count": str(export.total), "Preference-Applied": "count=exact"}
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": 200, "headers": encoded})


async def _send_block(send: Send, block: bytes, reader: Reader, send_timeout: float) -> None:
    try:
        async with asyncio.timeout(send_timeout):
            await send({"type": "http.response.body", "body": block, "more_body": True})
    except TimeoutError:
        reader.gone = True
        raise


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
