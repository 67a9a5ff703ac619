"""A watch over a connection that breaks it off once too little has come over it for too long."""

import os
import socket
import threading
import time
from contextlib import suppress
from typing import Any, Self

# Bytes a second. A server that has rows to send sends thousands; less than this is no export, but a drip.
SLOWEST = 100


class StallWatch:
    """Ends a request that makes no progress, whatever keeps its reader busy meanwhile.

    A time limit for each read is not enough: one byte now and then, or one `100 Continue` after the other, keeps each
    of them short. So a thread of its own shuts the connection down unless `take` hears, within every `seconds`, of
    `SLOWEST` times as many bytes of the body. `has_ended` tells that it did.
    """

    def __init__(self, seconds: float) -> None:
        self.has_ended = False
        self._seconds = seconds
        self._received = 0.0
        self._deadline = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        if self._socket is not None:
            self._socket.close()

    def notice(self, event: str, details: dict[str, Any]) -> None:
        """Learn from httpx, by its extension `trace`, which connection the request has got."""
        if event == "connection.connect_tcp.complete":
            connected = details["return_value"].get_extra_info("socket")
            with self._lock:
                # A second handle of the same connection: TLS takes the first one away.
                self._socket = socket.socket(fileno=os.dup(connected.fileno()))
                if self.has_ended:
                    self._shut_down()

    def take(self, size: int) -> None:
        """Hear that so many more bytes of the body have come."""
        self._received += size
        if self._received >= SLOWEST * self._seconds:
            self.extend()

    def extend(self) -> None:
        """Begin to wait anew: there was progress."""
        self._received, self._deadline = 0, time.monotonic() + self._seconds

    def _watch(self) -> None:
        while not self._is_over.wait(max(0, self._deadline - time.monotonic())):
            if time.monotonic() >= self._deadline:
                with self._lock:
                    self.has_ended = True
                    self._shut_down()
                return

    def _shut_down(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
