"""A proxy between a sync and a server that does to each request in turn what a bad network or a busy server would."""

import gzip
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from tests.support.waiting import PATIENCE

# What is done with one connection: it gets the client's socket, the request, and a function that asks the real server.
Fault = Callable[[socket.socket, bytes, Callable[[bytes], Iterator[bytes]]], None]


class FaultyProxy:
    """Listens on the loopback; each connection is one request. `targets` are those that came."""

    def __init__(self, upstream: int) -> None:
        self.faults: list[Fault] = []
        self.targets: list[str] = []
        self.requests: list[bytes] = []
        self.upstream = upstream
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def start_over(self, faults: Sequence[Fault] = ()) -> None:
        """Forget what came, and do these things to the next requests; those after them pass."""
        self.faults[:], self.targets[:], self.requests[:] = faults, [], []

    def bounds(self) -> list[tuple[str, str]]:
        """Return `from` and `to` of each request."""
        found = [re.search(r"from=([^& ]+)&to=([^& ]+)", target.replace("%3A", ":")) for target in self.targets]
        return [(match[1], match[2]) for match in found if match]

    def close(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            client.settimeout(PATIENCE)
            with client, suppress(OSError):
                request = b""
                while b"\r\n\r\n" not in request:
                    if not (piece := client.recv(65536)):
                        raise ConnectionError
                    request += piece
                self.requests.append(request)
                self.targets.append(request.split(b" ")[1].decode())
                fault = self.faults.pop(0) if self.faults else whole
                fault(client, request, self._ask)

    def _ask(self, request: bytes) -> Iterator[bytes]:
        request = re.sub(rb"(?i)connection: [^\r]*", b"Connection: close", request)
        with socket.create_connection(("127.0.0.1", self.upstream), PATIENCE) as server:
            server.sendall(request)
            while piece := server.recv(65536):
                yield piece


def whole(client: socket.socket, request: bytes, ask: Callable[[bytes], Iterator[bytes]]) -> None:
    """Hand everything on."""
    for piece in ask(request):
        client.sendall(piece)


def reset(client: socket.socket, request: bytes, ask: Callable[[bytes], Iterator[bytes]]) -> None:
    """Break the connection off without a word."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def answer(status: str, *headers: str, body: str = "") -> Fault:
    """Answer in the server's place."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "Connection: close", "", body]

    def do(client: socket.socket, request: bytes, ask: Callable[[bytes], Iterator[bytes]]) -> None:
        client.sendall("\r\n".join(lines).encode())

    return do


def cut(size: int, *, then: Fault | None = None) -> Fault:
    """Hand on so many bytes of the body, then close the connection, or do something else."""

    def do(client: socket.socket, request: bytes, ask: Callable[[bytes], Iterator[bytes]]) -> None:
        head, _, body = b"".join(ask(request)).partition(b"\r\n\r\n")
        client.sendall(head + b"\r\n\r\n" + body[:size])
        if then is not None:
            then(client, request, ask)

    return do


def end_politely(size: int, *, hides_total: bool = False) -> Fault:
    """Hand on a part of the body as if it were all."""

    def do(client: socket.socket, request: bytes, ask: Callable[[bytes], Iterator[bytes]]) -> None:
        whole_answer = b"".join(ask(request))
        head, _, _ = whole_answer.partition(b"\r\n\r\n")
        body = _body(iter([whole_answer]))
        head = re.sub(rb"(?i)transfer-encoding: chunked", b"Content-Length: %d" % len(body[:size]), head)
        if hides_total:
            head = re.sub(rb"(?i)\r\nx-total-count: \d+", b"", head)
        client.sendall(head + b"\r\n\r\n" + body[:size])

    return do


def drip(head: bytes, piece: bytes, *, until: threading.Event) -> Fault:
    """Send a beginning, and then a piece again and again."""

    def do(client: socket.socket, request: bytes, ask: Callable[[bytes], Iterator[bytes]]) -> None:
        client.sendall(head)
        while not until.wait(0.05):
            client.sendall(piece)

    return do


def pack(encoding: str, body: bytes | None = None, *, again: bytes = b"", times: int = 0) -> Fault:
    """Hand the whole body on, or another one, as gzip under some name; `again` follows the other one so many times."""
    # Members of gzip stand one after the other (RFC 1952), so that what comes again is packed once.
    packed = None if body is None else gzip.compress(body, 1) + gzip.compress(again, 1) * times

    def do(client: socket.socket, request: bytes, ask: Callable[[bytes], Iterator[bytes]]) -> None:
        data = gzip.compress(_body(ask(request))) if packed is None else packed
        answer_packed(client, encoding, data)

    return do


def cut_packed(client: socket.socket, request: bytes, ask: Callable[[bytes], Iterator[bytes]]) -> None:
    """Hand on the first half of a body that is gzip, as if it were all."""
    data = gzip.compress(_body(ask(request)))
    answer_packed(client, "gzip", data[: len(data) // 2])


def answer_packed(client: socket.socket, encoding: str, data: bytes) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Encoding: {encoding}\r\n"
    client.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(data) + data)


def _body(pieces: Iterator[bytes]) -> bytes:
    """Put the chunks of a body together."""
    _, _, chunked = b"".join(pieces).partition(b"\r\n\r\n")
    body = b""
    while chunked:
        length, _, chunked = chunked.partition(b"\r\n")
        body += chunked[: int(length, 16)]
        chunked = chunked[int(length, 16) + 2 :]
    return body


def wait_for_event(event: threading.Event) -> Fault:
    """Say nothing more until an event."""

    def do(client: socket.socket, request: bytes, ask: Callable[[bytes], Iterator[bytes]]) -> None:
        event.wait(PATIENCE)

    return do


@contextmanager
def faulty_proxy(upstream: int) -> Iterator[FaultyProxy]:
    """Run a proxy in front of a port of the loopback for a block."""
    proxy = FaultyProxy(upstream)
    try:
        yield proxy
    finally:
        proxy.close()
