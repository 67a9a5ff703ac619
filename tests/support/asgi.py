"""The API below the client: an ASGI `receive` and `send` that read, go away, stall or break when a test says so."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar
from urllib.parse import unquote

from starlette.types import ASGIApp, Message

from api.routes import Api
from api.services import create_services
from core.actor import COMMAND_LINE, Scope
from core.auth.api_keys import create_key
from core.db.databases import Databases
from core.jobs.wall import Wall
from core.settings import Settings

APRIL = "from=2026-04-01T00:00:00Z&to=2026-05-01T00:00:00Z"
EXPORT = f"/api/v1/jobs/export?{APRIL}"

# Seconds after which a test is stuck. Far more than any step needs, so that it decides nothing.
STUCK = 60

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reader got; `complete` tells whether the body was brought to its end."""

    status: int
    headers: dict[str, str]
    body: bytes
    complete: bool


class Then(Enum):
    """What a reader does once it has read enough."""

    READ_ON = "read on"
    LEAVE = "leave"
    STALL = "stall"
    BREAK = "break"


class FakeReader:
    """A request without a socket.

    The reader takes `reads` bytes of the body and then does as `then` says: it leaves (as uvicorn reports that:
    `receive` tells, `send` does nothing any more), stalls (`send` does not return), or breaks (`send` raises, as
    the ASGI specification allows). `on_block` is called with each block before it is taken.
    """

    def __init__(
        self,
        target: str,
        *authorization: str,
        method: str = "GET",
        headers: Iterable[tuple[str, str]] = (),
        reads: int = 0,
        then: Then = Then.READ_ON,
        on_block: Callable[[], None] = lambda: None,
    ) -> None:
        path, _, query = target.partition("?")
        given = [*(("authorization", value) for value in authorization), *headers]
        self.scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in given],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
        }
        self.messages: list[Message] = []
        self.stalled = asyncio.Event()
        self._reads = reads
        self._then = then
        self._on_block = on_block
        self._asked = False
        self._left = asyncio.Event()

    def leave(self) -> None:
        self._left.set()

    async def receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if self._left.is_set():
            return
        if message.get("more_body"):
            self._on_block()
        # A reader that has read enough does not take what comes next, be it a block or the end.
        if self._then is not Then.READ_ON and message["type"] == "http.response.body" and self.read() >= self._reads:
            await self._do()
        self.messages.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.leave()

    def read(self) -> int:
        """Count the bytes of the body so far."""
        return sum(len(message.get("body", b"")) for message in self.messages)

    @property
    def answer(self) -> Answer:
        start, *rest = self.messages
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        body = b"".join(message.get("body", b"") for message in rest)
        return Answer(start["status"], headers, body, bool(rest) and not rest[-1].get("more_body"))

    async def _do(self) -> None:
        match self._then:
            case Then.LEAVE:
                self.leave()
                # Whoever serves learns of it at the next turn.
                await asyncio.sleep(0)
            case Then.STALL:
                self.stalled.set()
                await asyncio.get_running_loop().create_future()
            case Then.BREAK:
                raise BrokenPipeError("the reader is gone")


def create_api(databases: Databases, settings: Settings, **changed: Any) -> Api:
    """Make the API with some settings changed."""
    return Api(create_services(databases, settings.model_copy(update=changed)))


def make_key(databases: Databases, client: str | None = "acme", **more: Any) -> str:
    """Make a key of a client, or of staff for None, and return it as a request presents it."""
    values: dict[str, Any] = {"name": "a test", "scopes": frozenset({Scope.JOB_READ}), "expires_at": None} | more
    return f"Bearer {create_key(databases, COMMAND_LINE, wall=Wall(client), **values)}"


async def exchange(app: ASGIApp, reader: FakeReader) -> FakeReader:
    """Let the application answer a reader."""
    await app(reader.scope, reader.receive, reader.send)
    return reader


def ask(app: ASGIApp, target: str, *authorization: str, **more: Any) -> Answer:
    """Ask once and read everything."""

    async def asking() -> Answer:
        return (await exchange(app, FakeReader(target, *authorization, **more))).answer

    return run(asking())


def run(coroutine: Coroutine[Any, Any, _Value]) -> _Value:
    """Run a coroutine to its end in a loop of its own."""

    async def limited() -> _Value:
        async with asyncio.timeout(STUCK):
            return await coroutine

    return asyncio.run(limited())
