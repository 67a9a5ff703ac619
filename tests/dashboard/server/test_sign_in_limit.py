"""Who tries to sign in too often, or is refused too often, waits; others at other addresses do not."""

import asyncio
from collections.abc import Sequence

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from dashboard.server.sign_in_limit import REFUSALS, TRIES, SignInLimit


def knock(answer: int, addresses: Sequence[str]) -> list[int]:
    """Come from these addresses, one after the other, where the answer is always the same; return the statuses."""
    statuses: list[int] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("an answer", answer)(scope, receive, send)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])
            assert (message["status"] == 429) == any(name == b"retry-after" for name, _ in message["headers"])

    async def come() -> None:
        limit = SignInLimit(application)
        for address in addresses:
            await limit({"type": "http", "method": "GET", "headers": [], "client": (address, 1)}, receive, send)

    asyncio.run(come())
    return statuses


@pytest.mark.parametrize(("answer", "burst"), [(400, REFUSALS.burst), (302, TRIES.burst), (503, TRIES.burst)])
def test_an_address_has_so_many_tries(answer: int, burst: int) -> None:
    """Fewer of them may be refused; that a provider is away is nobody's mistake."""
    statuses = knock(answer, ["192.0.2.1"] * (burst + 40))

    assert statuses[:burst] == [answer] * burst
    assert statuses[-20:] == [429] * 20


def test_other_addresses_are_not_held_up() -> None:
    """Each IPv4 address, and each customer's network of IPv6, counts for itself."""
    many = ["192.0.2.1"] * 40 + ["2001:db8::1", "2001:db8::2"] * 20

    assert knock(400, many)[-1] == 429
    assert knock(400, [*many, "192.0.2.2", "2001:db8:0:1::1"])[-2:] == [400, 400]
