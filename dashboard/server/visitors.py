"""How much those may ask of the pages who come by WebSocket: little before they are recognised, more after it."""

import asyncio
import ipaddress
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg

from api.limits import Bucket, Rate
from dashboard.server.websocket import WIDEN

log = logging.getLogger("fencepost.visitors")


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one visitor may have at once, and how often."""

    connections: int
    sessions: Rate
    messages: Rate
    # Whether a message too many waits for its turn; otherwise its connection is closed.
    waits: bool


# Who is not recognised is known by the network address, which a whole office may share. A page to sign in by needs one
# connection and two messages.
STRANGER = Allowance(connections=20, sessions=Rate(30, 1), messages=Rate(20, 5), waits=False)

# Who is recognised: one sign-in, with all its tabs. Nobody clicks faster; what is faster waits, as it would anyway.
RECOGNISED = Allowance(connections=60, sessions=Rate(120, 4), messages=Rate(60, 20), waits=True)

# Connections of all strangers together, whatever their addresses.
STRANGERS = 300

# Seconds in which a browser that has connected sends its first message.
FIRST_MESSAGE = 20

# What our pages send. The rest of Streamlit's messages is for those who write pages: it runs git, empties the caches of
# everybody, hands out addresses for uploads.
MEANT = frozenset({"rerun_script", "stop_script", "app_heartbeat", "backend_operation_request"})

# Seconds after which a visitor without connections is forgotten, and in which the log has one line of each at most.
FORGOTTEN = 60

# Close codes of RFC 6455, section 7.4.1.
PROTOCOL_ERROR, UNSUPPORTED, POLICY = 1002, 1003, 1008


@dataclass(slots=True)
class _Visitor:
    allowance: Allowance
    sessions: Bucket
    messages: Bucket
    connections: int = 0
    seen_at: float = field(default_factory=time.monotonic)
    said_at: float = float("-inf")


class Visitors:
    """The layer around the pages' WebSockets. `recognise` names whose connection it is, or returns None."""

    def __init__(self, app: ASGIApp, recognise: Callable[[HTTPConnection], str | None]) -> None:
        self._app = app
        self._recognise = recognise
        self._visitors: dict[str, _Visitor] = {}
        self._strangers = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        name = self._recognise(connection)
        is_stranger = name is None
        address = network_of(connection.client.host if connection.client else "")
        visitor = self._find(name or address, STRANGER if is_stranger else RECOGNISED)
        if (
            visitor.connections >= visitor.allowance.connections
            or (is_stranger and self._strangers >= STRANGERS)
            or visitor.sessions.take() > 0
        ):
            _say(visitor, address, "too many connections")
            await receive()
            await send({"type": "websocket.close", "code": POLICY})
            return
        if not is_stranger and WIDEN in scope.get("extensions", {}):
            scope["extensions"][WIDEN]()
        visitor.connections += 1
        self._strangers += is_stranger
        try:
            sending = _forgiving(send)
            await self._app(scope, _Reading(visitor, address, receive, sending), sending)
        finally:
            visitor.connections -= 1
            self._strangers -= is_stranger
            visitor.seen_at = time.monotonic()

    def _find(self, name: str, allowance: Allowance) -> _Visitor:
        if name not in self._visitors:
            forgotten = time.monotonic() - FORGOTTEN
            self._visitors = {
                known: visitor
                for known, visitor in self._visitors.items()
                if visitor.connections or visitor.seen_at > forgotten
            }
            self._visitors[name] = _Visitor(allowance, Bucket(allowance.sessions), Bucket(allowance.messages))
        return self._visitors[name]


class _Reading:
    """ASGI's `receive` of one connection: what comes through is meant, and not too much."""

    def __init__(self, visitor: _Visitor, address: str, receive: Receive, send: Send) -> None:
        self._visitor = visitor
        self._address = address
        self._receive = receive
        self._send = send
        self._is_silent = True

    async def __call__(self) -> Message:
        while True:
            message = await self._next()
            if message is None:
                return await self._close(POLICY, "no message came")
            if message["type"] != "websocket.receive":
                return message
            self._is_silent = False
            wait = self._visitor.messages.take()
            if wait > 0 and not self._visitor.allowance.waits:
                return await self._close(POLICY, "too many messages")
            # Also where it is 0: where messages wait already, nothing else would let the event loop turn.
            await asyncio.sleep(wait)
            if message.get("bytes") is None:
                return await self._close(UNSUPPORTED, "a message of text")
            try:
                kind = BackMsg.FromString(message["bytes"]).WhichOneof("type")
            except DecodeError:
                return await self._close(PROTOCOL_ERROR, "a message that is none of ours")
            if kind in MEANT:
                return message

    async def _next(self) -> Message | None:
        """Return the next message, or None where the first one does not come in time."""
        try:
            async with asyncio.timeout(FIRST_MESSAGE if self._is_silent else None):
                return await self._receive()
        except TimeoutError:
            return None

    async def _close(self, code: int, reason: str) -> Message:
        _say(self._visitor, self._address, reason)
        await self._send({"type": "websocket.close", "code": code, "reason": reason})
        return {"type": "websocket.disconnect", "code": code}


def _forgiving(send: Send) -> Send:
    """Let what is sent to somebody who is gone be lost: reading says so, and Streamlit ends by that without a trace."""

    async def send_or_lose(message: Message) -> None:
        with suppress(OSError):
            await send(message)

    return send_or_lose


def _say(visitor: _Visitor, address: str, reason: str) -> None:
    """Log why connections of a visitor are closed, once a minute."""
    if time.monotonic() - visitor.said_at >= FORGOTTEN:
        visitor.said_at = time.monotonic()
        log.warning("connections of %s are closed: %s", address, reason)


def network_of(host: str) -> str:
    """Return what stands for one place: an address, or the network of one customer (IPv6: the first 64 bits)."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 6 and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
