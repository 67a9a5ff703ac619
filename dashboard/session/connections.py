"""The open connections of browsers, each closed once the session that it showed something to has ended.

Streamlit fixes who somebody is when the connection opens. What runs over it looks the person up anew, see `admission`;
this is for a connection over which nothing runs.
"""

import asyncio
import secrets
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.actor import Actor
from core.errors import FencepostError

# A header that only this server adds: by it the script knows over which connection it runs.
HEADER = "x-fencepost-connection"

# Seconds between two looks, so that a connection is closed within five.
LOOK = 4

# Policy violation (RFC 6455, section 7.4.1).
CODE = 1008


class OpenConnections:
    """Knows the session that each open connection showed something to."""

    def __init__(self) -> None:
        self._sessions: dict[str, str] = {}

    def admit(self, connection: str | None, session: str | None) -> None:
        """Remember that something was shown over a connection to whoever has a session."""
        if connection is not None and session is not None and connection in self._sessions:
            self._sessions[connection] = session

    def add(self) -> str:
        """Return the name of a new connection, which showed nothing to anybody yet."""
        connection = secrets.token_hex(16)
        self._sessions[connection] = ""
        return connection

    def remove(self, connection: str) -> None:
        del self._sessions[connection]

    def find_session(self, connection: str) -> str:
        return self._sessions[connection]


class ClosedWithSession:
    """The ASGI layer that names connections, and closes them. `recognise` tells whose a session is, or None."""

    def __init__(self, app: ASGIApp, *, connections: OpenConnections, recognise: Callable[[str], Actor | None]) -> None:
        self._app = app
        self._connections = connections
        self._recognise = recognise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        connection = self._connections.add()
        name = HEADER.encode()
        # Whoever sends such a header themselves is not believed.
        headers = [header for header in scope["headers"] if header[0].lower() != name]
        scope = dict(scope, headers=[*headers, (name, connection.encode())])
        ended = asyncio.create_task(self._wait_for_end(connection))

        async def receive_until_end() -> Message:
            receiving = asyncio.ensure_future(receive())
            await asyncio.wait({receiving, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                return await receiving
            receiving.cancel()
            await send({"type": "websocket.close", "code": CODE})
            return {"type": "websocket.disconnect", "code": CODE}

        async def send_until_end(message: Message) -> None:
            if not ended.done():
                await send(message)

        try:
            await self._app(scope, receive_until_end, send_until_end)
        finally:
            ended.cancel()
            self._connections.remove(connection)

    async def _wait_for_end(self, connection: str) -> None:
        while True:
            await asyncio.sleep(LOOK)
            session = self._connections.find_session(connection)
            try:
                if session and await asyncio.to_thread(self._recognise, session) is None:
                    return
            except FencepostError:
                # That it cannot be asked for a moment is no reason to close it: nothing can be read meanwhile, either.
                continue
