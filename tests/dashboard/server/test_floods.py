"""What strangers send costs next to nothing, and those who work notice nothing of it."""

import asyncio
import http.client
import json
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast
from uuid import uuid4

import httpx
import psycopg
import pytest
from starlette.types import Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from core.db.databases import Databases
from dashboard.server.visitors import MEANT, RECOGNISED, STRANGER, Visitors
from dashboard.server.websocket import LARGEST_MESSAGE, LARGEST_OF_STRANGERS
from tests.conftest import TestServer
from tests.support.asgi import EXPORT, make_key
from tests.support.floods import Flood, frame, knock, rerun
from tests.support.rows import insert_large_jobs
from tests.support.servers import RunningServer, serving_dashboard

BROWSER = "fencepost_browser=a browser that has seen a page"


@pytest.fixture(scope="module")
def demo(server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    name = f"fencepost_test_{uuid4().hex[:12]}"
    with serving_dashboard(server.create_migrated(name), tmp_path_factory.mktemp("demo")) as running:
        yield running
    server.drop(name)


def open_socket(server: RunningServer, *, cookie: str = BROWSER, compression: str | None = None) -> ClientConnection:
    url = server.url.replace("http", "ws") + "/_stcore/stream"
    headers = {"Cookie": cookie} if cookie else {}
    return connect(url, additional_headers=headers, compression=compression, proxy=None)


def code_of_close(opened: ClientConnection) -> int:
    """Read until the server closes, and return the code."""
    while True:
        try:
            opened.recv(timeout=60)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006


def probe(server: RunningServer) -> float:
    """Ask for health once on a connection of its own, and return the seconds."""
    address = httpx.URL(server.url)
    began = time.monotonic()
    connection = http.client.HTTPConnection(address.host, address.port, timeout=60)
    connection.request("GET", "/health")
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())) == (200, {"status": "ok"})
    connection.close()
    return time.monotonic() - began


def resident(server: RunningServer) -> int:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{server.process.pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def run_page(page: ClientConnection) -> None:
    """Ask for the page once more, and read it to its end."""
    message = ForwardMsg()
    page.send(rerun())
    while not message.HasField("script_finished"):
        message = ForwardMsg.FromString(cast("bytes", page.recv(timeout=60)))


def export_all(server: RunningServer, key: str) -> int:
    """Export the jobs, and return how many bytes came; a body that is cut raises."""
    return len(httpx.get(server.url + EXPORT, headers={"Authorization": key}, timeout=60).raise_for_status().content)


def test_a_flood_costs_nobody_else_anything(
    databases: Databases,
    database_url: str,
    connection: psycopg.Connection,
    tmp_path: Path,
    pytestconfig: pytest.Config,
) -> None:
    """While one address floods the pages, health answers, an open page and exports go on, and memory stays.

    Every flooding connection is closed, new ones are refused, the log says so once, and SIGTERM ends the server.
    `make soak` floods for 30 seconds, and prints the figures.
    """
    seconds = pytestconfig.getoption("--flood")
    key = make_key(databases)
    insert_large_jobs(connection, 100, size=100_000)
    with serving_dashboard(database_url, tmp_path) as server, open_socket(server) as page:
        # What is imported with the first page and the first export is there then.
        run_page(page)
        sizes = [export_all(server, key)]
        before = resident(server)

        with Flood(server.url, seconds=seconds, connections=50, per_second=10_000) as flood:
            took = []
            while flood.is_on:
                took += [probe(server) for _ in range(10)]
                run_page(page)
                sizes.append(export_all(server, key))
        grown = resident(server) - before
        server.process.send_signal(signal.SIGTERM)
        code = server.process.wait(timeout=60)
        log = server.log

    took.sort()
    sys.stdout.write(
        f"flood of {seconds} s: {flood.opened} connections opened, {flood.closed} closed, {flood.refused} refused; "
        f"health p50 {took[len(took) // 2]:.3f} s, p95 {took[len(took) * 95 // 100]:.3f} s of {len(took)}; "
        f"{len(sizes) - 1} pages and exports meanwhile; {grown / 1e6:.0f} MB more\n"
    )
    assert sizes[0] > 10_000_000
    assert set(sizes) == {sizes[0]}
    assert code == 0
    assert flood.opened <= STRANGER.connections + STRANGER.sessions.burst + seconds + 5
    assert flood.refused > 20
    assert grown < 50_000_000
    assert log.count("connections of 127.0.0.1 are closed") == 1
    assert "Traceback" not in log


@pytest.mark.parametrize("opcode", [0, 9, 10], ids=["continuation", "ping", "pong"])
def test_frames_that_are_no_messages_count_as_well(demo: RunningServer, opcode: int) -> None:
    """Pings, pongs and the empty parts of a message that never ends are a flood, too."""
    opened = knock(demo.url, cookie=BROWSER)
    assert opened is not None

    with opened:
        opened.sendall(frame(b"", is_last=False) if opcode == 0 else frame(rerun()))
        try:
            opened.sendall(frame(b"", opcode=opcode, is_last=opcode != 0) * 1000)
            while opened.recv(1 << 16):
                pass
        except ConnectionError:
            pass

    assert probe(demo) < 60


@pytest.mark.parametrize(("cookie", "largest"), [(BROWSER, LARGEST_MESSAGE), ("", LARGEST_OF_STRANGERS)])
def test_messages_have_a_size(demo: RunningServer, cookie: str, largest: int) -> None:
    """A message is at most 1 MB, and of somebody who is not recognised much smaller, whole or in parts."""
    with open_socket(demo, cookie=cookie) as opened:
        opened.send(rerun())
        opened.send(iter([bytes(largest // 2), bytes(largest // 2), b"0" * 20]))

        assert code_of_close(opened) == 1009


def test_nothing_that_comes_is_unpacked(demo: RunningServer) -> None:
    """Of a few packed bytes a client could make as many as it likes, so packing is not agreed on."""
    with open_socket(demo, compression="deflate") as opened:
        assert opened.protocol.extensions == []


@pytest.mark.parametrize(("message", "code"), [("a text", 1003), (b"\xff\xff\xff", 1002)])
def test_what_is_no_message_ends_the_connection(demo: RunningServer, message: str | bytes, code: int) -> None:
    """Text and other bytes close the connection; the log holds no trace, and the browser is told no path."""
    with open_socket(demo) as opened:
        opened.send(message)

        assert code_of_close(opened) == code
    assert "Traceback" not in demo.log


def test_a_session_begins_without_a_word(demo: RunningServer) -> None:
    """What is kept for a session's first run makes Streamlit write no warning, in another form than the log's."""
    with open_socket(demo) as opened:
        opened.send(rerun())
        opened.recv()

    assert "ScriptRunContext" not in demo.log


def test_nothing_is_uploaded(demo: RunningServer) -> None:
    """No page takes files, so there is no address for them."""
    answers = [
        httpx.request(method, f"{demo.url}/_stcore/upload_file/a/b", content=b"x" * 100) for method in ("PUT", "POST")
    ]

    assert [answer.status_code for answer in answers] == [404, 404]


class Line:
    """One connection below the server: what is sent in, what comes through, and how it is closed."""

    def __init__(self, messages: list[bytes], name: str | None) -> None:
        self.through: list[str | None] = []
        self.code: int | None = None
        self._name = name
        self._messages = [{"type": "websocket.connect"}] + [
            {"type": "websocket.receive", "bytes": message} for message in messages
        ]

    def run(self) -> "Line":
        visitors = Visitors(self._app, lambda _: self._name)
        scope = {"type": "websocket", "client": ("192.0.2.1", 1), "headers": []}
        asyncio.run(visitors(scope, self._receive, self._send))
        return self

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (message := await receive())["type"] != "websocket.disconnect":
            if message["type"] == "websocket.receive":
                self.through.append(BackMsg.FromString(message["bytes"]).WhichOneof("type"))

    async def _receive(self) -> Message:
        return self._messages.pop(0) if self._messages else {"type": "websocket.disconnect", "code": 1005}

    async def _send(self, message: Message) -> None:
        self.code = message["code"]


def kinds() -> list[bytes]:
    """Return one message of every kind that Streamlit knows."""
    found = []
    for kind in BackMsg.DESCRIPTOR.oneofs_by_name["type"].fields:
        message = BackMsg()
        if kind.message_type is None:
            setattr(message, kind.name, kind.type == kind.TYPE_BOOL or "x")
        else:
            getattr(message, kind.name).SetInParent()
        found.append(message.SerializeToString())
    return found


def test_only_messages_of_our_pages_come_through() -> None:
    """Of all that Streamlit can be told, what our pages send; nobody empties caches or has git run."""
    line = Line(kinds(), "somebody").run()

    assert len(kinds()) > len(MEANT)
    assert set(line.through) == MEANT
    assert line.code is None


def test_every_kind_of_message_counts() -> None:
    """A stranger who sends too many of any kind is closed, before and after what comes through."""
    for message in kinds():
        line = Line([message] * 200, None).run()

        assert line.code == 1008
        assert len(line.through) < 2 * STRANGER.messages.burst


def test_whoever_is_recognised_waits() -> None:
    """More than a person can click comes through later, and is not lost."""
    began = time.monotonic()

    line = Line([rerun()] * (RECOGNISED.messages.burst + 10), "somebody").run()

    assert len(line.through) == RECOGNISED.messages.burst + 10
    assert line.code is None
    assert time.monotonic() - began >= 9 / RECOGNISED.messages.per_second
