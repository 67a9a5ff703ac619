"""A service that hears webhooks: within the tests, or as a process of its own that can be killed.

As a process (`python -m tests.support.webhook_receiver PORT FILE`) it notes the id of each message before it answers.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """What was heard: headers by their names in lower case, and the body. `answers` are given first, then 204."""

    url: str = ""
    heard: list[tuple[dict[str, str], str]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    def take(self, headers: dict[str, str], body: str) -> int:
        self.heard.append((headers, body))
        return self.answers.pop(0) if self.answers else 204


def make_server(port: int, take: Callable[[dict[str, str], str], int], headers: dict[str, str]) -> ThreadingHTTPServer:
    """Make a server that hands each message on and answers with the status that comes back."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            status = take({name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    return server


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Hear webhooks on the loopback for a block."""
    receiver = Receiver()
    server = make_server(0, receiver.take, receiver.headers)
    receiver.url = f"http://127.0.0.1:{server.server_port}/hooks"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _main(port: int, path: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def take(headers: dict[str, str], body: str) -> int:
        os.write(file, f"{headers['webhook-id']} {len(body)}\n".encode())
        return 204

    make_server(port, take, {}).serve_forever()


if __name__ == "__main__":
    _main(int(sys.argv[1]), sys.argv[2])
