"""How often one network address may try to sign in, and how often it may be refused."""

import math
import time
from dataclasses import dataclass, field

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.limits import Bucket, Rate, Seldom
from api.pages import page
from dashboard.server.sign_in_failure import BACKCHANNEL_PATH, LOGIN_PATH, RETURN_PATH
from dashboard.server.visitors import network_of

LIMITED = frozenset({LOGIN_PATH, RETURN_PATH, BACKCHANNEL_PATH})

# The way to the provider and back is two tries. An office may share an address, and begin the day together.
TRIES = Rate(burst=240, per_second=4)

# What does not succeed is a mistake now and then, or somebody who guesses.
REFUSALS = Rate(burst=30, per_second=0.1)

# Seconds after which an address is forgotten: by then it may do everything again.
FORGOTTEN = 300

_limited = Seldom("sign-in is refused to network addresses that tried too often")


@dataclass(slots=True)
class _Address:
    tries: Bucket = field(default_factory=lambda: Bucket(TRIES))
    refusals: Bucket = field(default_factory=lambda: Bucket(REFUSALS))
    seen_at: float = field(default_factory=time.monotonic)


class SignInLimit:
    """The ASGI layer around the addresses of `LIMITED`. It counts in this process."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._addresses: dict[str, _Address] = {}
        self._swept_at = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = HTTPConnection(scope).client
        address = self._find(network_of(client.host if client else ""))
        wait = max(address.refusals.wait(), address.tries.take())
        if wait > 0:
            _limited.warn()
            sentence = "Too many sign-in attempts came from this network address: wait a minute, then try again."
            headers = {"Retry-After": str(math.ceil(wait))}
            await page(429, "Too many attempts", sentence, headers)(scope, receive, send)
            return

        async def send_counting(message: Message) -> None:
            if message["type"] == "http.response.start" and 400 <= message["status"] < 500:
                address.refusals.take()
            await send(message)

        await self._app(scope, receive, send_counting)

    def _find(self, network: str) -> _Address:
        now = time.monotonic()
        if now - self._swept_at > FORGOTTEN:
            self._swept_at = now
            self._addresses = {name: it for name, it in self._addresses.items() if it.seen_at > now - FORGOTTEN}
        found = self._addresses.setdefault(network, _Address())
        found.seen_at = now
        return found
