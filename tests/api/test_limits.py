"""How much a client may ask: requests in a moving minute, and exports at once."""

import asyncio
import time
from contextlib import ExitStack

import psycopg
import pytest

from api.errors import ApiError
from api.limits import ExportSlots, RequestLimit
from core.actor import Scope
from core.db.databases import Databases
from core.settings import Settings
from tests.support.asgi import EXPORT, FakeReader, Then, ask, create_api, exchange, make_key, run
from tests.support.rows import insert_large_jobs

RECEIPT = "/api/v1/exports/00000000-0000-4000-8000-000000000000"


def test_any_60_seconds_count_not_those_of_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request counts for the 60 seconds after it; a refused one does not count, and is told when to return.

    They are seconds that have passed: a clock that is set does not matter.
    """
    monkeypatch.setattr(time, "time", lambda: 0)
    limit = RequestLimit(3)
    start = time.monotonic()

    def count(passed: float) -> int | None:
        monkeypatch.setattr(time, "monotonic", lambda: start + passed)
        return limit.count("client:acme")

    answers = {passed: count(passed) for passed in (0, 30, 59, 59.5, 59.75, 60.5, 61, 90.5, 91)}

    assert answers == {
        0: None,
        30: None,
        59: None,
        59.5: 1,
        59.75: 1,
        60.5: None,
        61: 29,
        90.5: None,
        91: 28,
    }


def test_slots_are_of_a_client_and_of_all() -> None:
    """A client has its own few slots among those of all; a block gives its slot back, whatever ends it."""
    slots = ExportSlots(per_client=2, total=3)

    with ExitStack() as running:
        running.enter_context(slots.take("client:acme"))
        running.enter_context(slots.take("client:acme"))
        with pytest.raises(ApiError, match=r"^2 exports of this client are running: wait until one has ended\.$"):
            running.enter_context(slots.take("client:acme"))
        with pytest.raises(ZeroDivisionError), slots.take("client:other"):
            raise ZeroDivisionError
        running.enter_context(slots.take("client:other"))
        with pytest.raises(ApiError, match=r"^3 exports are running: wait until one has ended\.$"):
            running.enter_context(slots.take("key:staff"))

    with slots.take("client:acme"), slots.take("client:acme"), slots.take("key:staff"):
        pass


def test_keys_of_one_client_share_its_rate_and_others_do_not(databases: Databases, settings: Settings) -> None:
    """A client has one rate however many keys it has; each staff key has its own."""
    api = create_api(databases, settings, fencepost_requests_per_minute=2)
    first, second = make_key(databases), make_key(databases)
    other = make_key(databases, "other")
    staff, colleague = make_key(databases, None), make_key(databases, None)

    statuses = [ask(api, EXPORT, key).status for key in (first, second, first, second)]
    others = [ask(api, EXPORT, key).status for key in (other, staff, colleague, other, staff, colleague, staff)]

    assert statuses == [200, 200, 429, 429]
    assert others == [200, 200, 200, 200, 200, 200, 429]


def test_client_cannot_take_the_rate_of_a_staff_key_by_its_name(databases: Databases, settings: Settings) -> None:
    """A client whose id reads like a staff key is counted apart from that key."""
    api = create_api(databases, settings, fencepost_requests_per_minute=1)
    staff = make_key(databases, None)
    client = make_key(databases, f"key:{staff.split('_')[1]}")

    statuses = [ask(api, EXPORT, key).status for key in (client, client, staff)]

    assert statuses == [200, 429, 200]


def test_every_authenticated_request_counts_and_a_401_does_not(databases: Databases, settings: Settings) -> None:
    """A receipt, a wrong parameter, a forbidden client and a missing scope count; a refused key does not."""
    api = create_api(databases, settings, fencepost_requests_per_minute=4)
    key = make_key(databases)
    scopeless = make_key(databases, scopes=frozenset[Scope]())

    asked = [
        ask(api, target, authorization).status
        for target, authorization in (
            (EXPORT, key[:-1]),
            (EXPORT, "Bearer x"),
            (RECEIPT, key),
            (f"{EXPORT}&type=", key),
            (f"{EXPORT}&client_id=other", key),
            (EXPORT, scopeless),
            (EXPORT, key),
            (RECEIPT, key),
        )
    ]

    assert asked == [401, 401, 404, 400, 403, 403, 429, 429]


def test_addresses_without_a_key_do_not_count(databases: Databases, settings: Settings) -> None:
    """Health and the description may be asked for at any rate."""
    api = create_api(databases, settings, fencepost_requests_per_minute=1)

    statuses = [ask(api, target).status for target in ("/health", "/api/v1/openapi.json") * 3]

    assert statuses == [200] * 6


def test_slots_are_given_back_when_exports_succeed(databases: Databases, settings: Settings) -> None:
    """A client may export one after another for as long as it likes."""
    api = create_api(databases, settings)
    key = make_key(databases)

    assert [ask(api, EXPORT, key).status for _ in range(6)] == [200] * 6


def test_slots_are_given_back_when_exports_fail_before_their_first_byte(
    databases: Databases, settings: Settings, connection: psycopg.Connection
) -> None:
    """An export that could not start does not count as running."""
    connection.execute("ALTER TABLE jobs ALTER COLUMN created_at TYPE text")
    api = create_api(databases, settings)
    key = make_key(databases)

    assert [ask(api, EXPORT, key).status for _ in range(6)] == [500] * 6


@pytest.mark.parametrize("then", [Then.LEAVE, Then.STALL, Then.BREAK])
@pytest.mark.parametrize("reads", [0, 1])
def test_slots_are_given_back_when_readers_go(
    databases: Databases, settings: Settings, connection: psycopg.Connection, then: Then, reads: int
) -> None:
    """Whoever leaves or stops reading in the middle does not count as running any more."""
    insert_large_jobs(connection, 100, size=10_000)
    api = create_api(databases, settings, fencepost_send_timeout=0.05)
    key = make_key(databases)

    async def leave_often() -> list[int]:
        readers = [FakeReader(EXPORT, key, reads=reads, then=then) for _ in range(6)]
        return [(await exchange(api, reader)).answer.status for reader in readers]

    assert run(leave_often()) == [200] * 6


def test_total_counts_the_exports_of_all_clients(
    databases: Databases, settings: Settings, connection: psycopg.Connection
) -> None:
    """The fifth export at once is refused whosever it is, and admitted when one of the four has ended."""
    insert_large_jobs(connection, 100, size=10_000)
    api = create_api(databases, settings)
    staff = [make_key(databases, None) for _ in range(3)]
    keys = [staff[0], staff[0], staff[1], staff[1], staff[2]]

    async def five() -> list[int]:
        readers = [FakeReader(EXPORT, key, then=Then.STALL) for key in keys[:4]]
        running = [asyncio.create_task(exchange(api, reader)) for reader in readers]
        for reader in readers:
            await reader.stalled.wait()
        refused = await exchange(api, FakeReader(EXPORT, keys[4]))
        readers[0].leave()
        await running[0]
        admitted = await exchange(api, FakeReader(EXPORT, keys[4]))
        for reader in readers:
            reader.leave()
        await asyncio.gather(*running)
        return [refused.answer.status, admitted.answer.status]

    assert run(five()) == [429, 200]
