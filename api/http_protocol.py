"""What one HTTP connection may cost before there is a request: bytes, seconds, and a descriptor (RFC 9112)."""

import asyncio
import resource
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.limits import Seldom

# Bytes of a request's line and headers together. Sign-in cookies of some providers are large.
LARGEST_HEAD = 131_072

# Bytes that are looked through before they are counted.
PIECE = 16_384

# Seconds in which a request is all there, from its first byte or from the beginning of the connection.
PATIENCE = 15

# Descriptors that an open page takes (its socket, and those of the loop that its script runs in), and those that stay
# for databases, files and logs.
PER_PAGE, RESERVED = 4, 64

# Descriptors that are asked for at the start, where the system allows as many.
WANTED = 65_536

_full = Seldom("there are as many connections as this process may have: raise its limit of open files")


def raise_descriptor_limit() -> None:
    """Take as many descriptors as the system lets this process have; what a shell gives is enough for sixty pages."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(hard, WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def most_connections() -> int:
    """Return how many connections leave descriptors for what serves them."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return max(8, (min(soft, WANTED) - RESERVED) // PER_PAGE)


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's HTTP, with limits on a request that is not all there yet, and on connections."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._head = 0
        self._in_head = True
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > most_connections():
            _full.warn()
            self._answer("503 Service Unavailable", "Too many people are here at once: try again in a minute.")
            return
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), PIECE):
            if self.transport.is_closing() or self.transport.get_protocol() is not self:
                return
            piece = data[start : start + PIECE]
            super().data_received(piece)
            if self._in_head:
                self._head += len(piece)
                if self._head > LARGEST_HEAD:
                    self._answer("431 Request Header Fields Too Large", "The request is too large: shorten it.")

    def handle_websocket_upgrade(self) -> None:
        self._expect_nothing()
        super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        self._head, self._in_head = 0, True
        self._expect_request()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._expect_nothing()
        super().on_message_complete()

    def _expect_request(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(PATIENCE, self.transport.abort)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _answer(self, status: str, sentence: str) -> None:
        """Say in a sentence why there is no more, and close."""
        head = f"HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {len(sentence)}"
        self.transport.write(f"{head}\r\nretry-after: 60\r\nconnection: close\r\n\r\n{sentence}".encode())
        self.transport.close()
