"""What one WebSocket may send, counted as it is read: before it costs more than its bytes (RFC 6455)."""

import asyncio
from typing import Any, cast

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState
from websockets.frames import Frame

from api.limits import Bucket, Rate, Seldom

# Bytes. No page uploads anything: the largest message is what the widgets of a page hold.
LARGEST_MESSAGE = 1_000_000

# Bytes of a message of somebody who is not recognised, who has nothing to send but a click.
LARGEST_OF_STRANGERS = 50_000

# Frames of any kind, of which a browser sends a few a second at most. Beyond it is a flood.
FRAMES = Rate(burst=200, per_second=50)

# Bytes that are looked through at once. The smallest frame has six, so it is a few hundred of them.
PIECE = 2048

# Seconds after which a flood's connection is cut, whether it has taken its end or not.
LAST = 2

# The name under which a connection lets the layers above allow it more (ASGI calls such things extensions).
WIDEN = "fencepost.widen"

_flood = Seldom("a connection was closed: it sent more than %s messages a second", FRAMES.per_second)


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket, which closes a flood before its messages are queued.

    uvicorn stops reading while a message waits, but only after all that one read has brought: a quarter of a megabyte
    is forty thousand messages.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._frames = Bucket(FRAMES)
        self.conn.max_message_size = LARGEST_OF_STRANGERS

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), PIECE):
            if self.transport.is_closing():
                return
            super().data_received(data[start : start + PIECE])

    def handle_events(self) -> None:
        for event in self.conn.events:
            if isinstance(event, Frame) and self._frames.take() > 0:
                self._end()
                return
        super().handle_events()

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            cast("dict[str, Any]", self.scope["extensions"])[WIDEN] = self._widen

    async def send(self, message: ASGISendEvent) -> None:
        if self.close_sent:
            # As for a reader who is gone; uvicorn would call it a mistake of the application, with a trace.
            raise ClientDisconnected
        await super().send(message)

    def _widen(self) -> None:
        """Allow as large messages as people need who are recognised."""
        self.conn.max_message_size = LARGEST_MESSAGE

    def _end(self) -> None:
        """Close at once; what was sent and not yet looked at is dropped."""
        _flood.warn()
        while not self.queue.empty():
            self.queue.get_nowait()
        try:
            self.conn.send_close(1008, "too many messages")
        except InvalidState:
            self.transport.abort()
            return
        self.close_sent = True
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.close()
        asyncio.get_running_loop().call_later(LAST, self.transport.abort)
