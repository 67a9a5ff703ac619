"""What a run of a page sends reaches the browser together."""

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from dashboard.server.bursts import MOST, SentInBursts


def make_element(words: str) -> bytes:
    message = ForwardMsg()
    message.delta.new_element.text.body = words
    return bytes(message.SerializeToString())


ELEMENT = make_element("one")
END = ForwardMsg(script_finished=ForwardMsg.FINISHED_SUCCESSFULLY).SerializeToString()


def frame(content: bytes) -> Message:
    return {"type": "websocket.send", "bytes": content}


async def receive() -> Message:
    return {"type": "websocket.receive"}


def run(application: object, send: Send) -> None:
    asyncio.run(SentInBursts(application)({"type": "websocket"}, receive, send))  # type: ignore[arg-type]


def test_elements_wait_for_the_end_of_their_run() -> None:
    """They are sent in their order, with what says that the run has ended."""
    sent: list[Message] = []
    before: list[int] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def application(_: Scope, __: Receive, send: Send) -> None:
        for content in (ELEMENT, ELEMENT):
            await send(frame(content))
        before.append(len(sent))
        await send(frame(END))
        before.append(len(sent))

    run(application, send)

    assert before == [0, 3]
    assert sent == [frame(ELEMENT), frame(ELEMENT), frame(END)]


def test_a_run_that_takes_long_shows_what_it_has() -> None:
    """What was made waits no longer than a moment, although nothing follows."""
    arrived = asyncio.Event()

    async def send(_: Message) -> None:
        arrived.set()

    async def application(_: Scope, __: Receive, send: Send) -> None:
        await send(frame(ELEMENT))
        await asyncio.wait_for(arrived.wait(), 30)

    run(application, send)


def test_another_page_takes_the_place_of_the_one_that_was_left_at_once() -> None:
    """The browser hears that it begins before anything of it is made; a page that is drawn again waits."""
    before: list[int] = []
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def application(_: Scope, __: Receive, send: Send) -> None:
        for page in ("jobs", "jobs", "reviews"):
            begin = ForwardMsg()
            begin.new_session.page_script_hash = page
            await send(frame(begin.SerializeToString()))
            before.append(len(sent))
            await send(frame(END))

    run(application, send)

    assert before == [1, 2, 5]


def test_what_opens_or_closes_a_connection_does_not_wait() -> None:
    """Nor does it overtake what was sent before it."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def application(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        await send(frame(ELEMENT))
        await send({"type": "websocket.close", "code": 1000})

    run(application, send)

    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.send", "websocket.close"]


def test_little_is_held() -> None:
    """Beyond a number of bytes they are sent at once."""
    sent: list[Message] = []
    large = make_element("x" * MOST)

    async def send(message: Message) -> None:
        sent.append(message)

    async def application(_: Scope, __: Receive, send: Send) -> None:
        await send(frame(large))
        assert sent == [frame(large)]

    run(application, send)


def test_a_browser_that_is_gone_is_told_to_who_sends_to_it() -> None:
    """What could not be sent later is raised with the next message."""
    failed = asyncio.Event()

    async def send(_: Message) -> None:
        failed.set()
        raise OSError

    async def application(_: Scope, __: Receive, send: Send) -> None:
        await send(frame(ELEMENT))
        await asyncio.wait_for(failed.wait(), 30)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        with pytest.raises(OSError):  # noqa: PT011 - the one from above
            await send(frame(ELEMENT))

    run(application, send)
