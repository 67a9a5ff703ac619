"""Whoever sends more than a browser does: WebSockets on the loopback, for a bounded time."""

import os
import socket
import threading
import time
from contextlib import suppress

import httpx
from streamlit.proto.BackMsg_pb2 import BackMsg


def rerun() -> bytes:
    """Return the message by which a browser asks for a page."""
    message = BackMsg()
    message.rerun_script.query_string = ""
    return bytes(message.SerializeToString())


def frame(payload: bytes, *, opcode: int = 2, is_last: bool = True) -> bytes:
    """Write a short frame as a client does (RFC 6455, section 5.2)."""
    assert len(payload) < 126
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
    return bytes([opcode | (0x80 if is_last else 0), 0x80 | len(payload)]) + mask + masked


def knock(url: str, *, cookie: str = "") -> socket.socket | None:
    """Open a WebSocket to the pages by hand, or return None where it is refused."""
    address = httpx.URL(url)
    lines = [
        "GET /_stcore/stream HTTP/1.1",
        f"Host: {address.netloc.decode()}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        *([f"Cookie: {cookie}"] if cookie else []),
    ]
    opened = socket.create_connection((address.host, address.port or 80), timeout=20)
    try:
        opened.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = opened.recv(4096)
    except OSError:
        answer = b""
    if b" 101 " in answer.partition(b"\r\n")[0]:
        return opened
    opened.close()
    return None


class Flood:
    """Connections that each send as many messages as they may for a while, and come again where they are closed."""

    def __init__(self, url: str, *, seconds: float, connections: int, per_second: int) -> None:
        self.opened = self.refused = self.sent = self.closed = 0
        self._url = url
        self._until = time.monotonic() + seconds
        self._block = frame(rerun()) * max(1, per_second // connections // 20)
        self._threads = [threading.Thread(target=self._send) for _ in range(connections)]

    def __enter__(self) -> "Flood":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join()

    @property
    def is_on(self) -> bool:
        return time.monotonic() < self._until

    def _send(self) -> None:
        while self.is_on:
            with suppress(OSError):
                opened = knock(self._url)
                if opened is None:
                    self.refused += 1
                    time.sleep(0.2)
                    continue
                self.opened += 1
                self._send_until_closed(opened)

    def _send_until_closed(self, opened: socket.socket) -> None:
        with opened, suppress(OSError):
            while self.is_on:
                opened.settimeout(20)
                opened.sendall(self._block)
                self.sent += 1
                opened.settimeout(0.05)
                with suppress(TimeoutError):
                    if opened.recv(1 << 16) == b"":
                        break
        self.closed += 1
