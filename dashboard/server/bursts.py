"""What a run of a page sends, sent in few bursts.

Streamlit sends each element as it is made, and a browser draws the whole page for each that comes alone. For what comes
together it does so once.
"""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

# Seconds that what was made first waits for the rest of its run: a page that takes longer shows what it has.
LONGEST = 0.2

# Bytes that wait at most.
MOST = 1_000_000


class SentInBursts:
    """The ASGI layer that holds what a WebSocket sends until its run has ended, or for `LONGEST`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        bursts = _Bursts(send)
        try:
            await self._app(scope, receive, bursts.send)
        finally:
            bursts.end()


class _Bursts:
    """What one connection sends."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._held: list[Message] = []
        self._bytes = 0
        # The page that was drawn last.
        self._page = ""
        self._timer: asyncio.TimerHandle | None = None
        self._late: asyncio.Task[None] | None = None
        # What is sent keeps its order.
        self._sending = asyncio.Lock()

    async def send(self, message: Message) -> None:
        """Send a message, now or a little later; raise where an earlier one could not be sent."""
        if self._late is not None and self._late.done():
            self._late.result()
        content: bytes | None = message.get("bytes")
        if content is None:
            # It opens or closes the connection.
            await self._send_held()
            await self._send(message)
            return
        self._held.append(message)
        self._bytes += len(content)
        if self._bytes > MOST or self._is_urgent(ForwardMsg.FromString(content)):
            await self._send_held()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LONGEST, self._send_late)

    def end(self) -> None:
        """Send nothing more. What could not be sent concerns nobody any more."""
        self._stop_timer()
        if self._late is not None and not self._late.cancel() and not self._late.cancelled():
            self._late.exception()

    def _is_urgent(self, message: ForwardMsg) -> bool:
        """Tell whether a run has ended, or one of another page begins: nobody is to press what the last one had."""
        kind = message.WhichOneof("type")
        if kind != "new_session":
            return kind == "script_finished"
        is_other, self._page = message.new_session.page_script_hash != self._page, message.new_session.page_script_hash
        return is_other

    def _send_late(self) -> None:
        self._timer = None
        self._late = asyncio.create_task(self._send_held())

    async def _send_held(self) -> None:
        self._stop_timer()
        async with self._sending:
            held, self._held, self._bytes = self._held, [], 0
            for message in held:
                await self._send(message)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
