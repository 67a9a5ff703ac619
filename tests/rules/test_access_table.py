"""Who gets what: actor × route × outcome, in one table."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from pydantic import SecretStr
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as RequestScope

from api.downloads import Downloads
from api.services import create_services
from core.actor import COMMAND_LINE, Scope
from core.auth.api_keys import revoke_key, rotate_key
from core.auth.tickets import DOWNLOAD_PATH, TicketOffice
from core.db.databases import Databases
from core.db.startup import open_databases
from core.review.verdicts import Verdict
from core.settings import Settings
from tests.core.quality.test_answers import ANN, judge
from tests.support.asgi import EXPORT, Answer, ask, create_api, make_key
from tests.support.rows import insert_job

# `A`, `B`: 200 with the jobs, or the receipt, of that client; `AB`: of both; `ok`: 200 with nobody's data. A number is
# the status of an error. A person's row gets its headers from ACTORS like everybody else's, a further route a column.
TABLE = """
actor          jobs jobs-A jobs-B receipt-A receipt-B no-receipt reviews of-B openapi health ready metrics ticket other
anonymous      401  401    401    401       401       401        401     401  ok      ok     ok    404     403    404
malformed      401  401    401    401       401       401        401     401  ok      ok     ok    404     403    404
without-scope  403  403    403    403       403       403        403     403  ok      ok     ok    404     403    404
admin-only     403  403    403    403       403       403        403     403  ok      ok     ok    404     403    404
client-A       A    A      403    A         404       404        403     403  ok      ok     ok    404     403    404
client-B       B    403    B      404       B         404        403     403  ok      ok     ok    404     403    404
staff          AB   A      B      A         B         404        403     403  ok      ok     ok    404     403    404
other-network  403  403    403    403       403       403        403     403  ok      ok     ok    404     403    404
own-network    A    A      403    A         404       404        403     403  ok      ok     ok    404     403    404
revoked        401  401    401    401       401       401        401     401  ok      ok     ok    404     403    404
expired        401  401    401    401       401       401        401     401  ok      ok     ok    404     403    404
rotated-within A    A      403    A         404       404        403     403  ok      ok     ok    404     403    404
rotated-after  401  401    401    401       401       401        401     401  ok      ok     ok    404     403    404
successor      A    A      403    A         404       404        403     403  ok      ok     ok    404     403    404
reviewer-A     403  403    403    A         404       404        A       404  ok      ok     ok    404     403    404
reviewer-B     403  403    403    404       B         404        B       B    ok      ok     ok    404     403    404
review-staff   403  403    403    A         B         404        AB      B    ok      ok     ok    404     403    404
"""

CLIENTS = {"A": "acme", "B": "other"}


@dataclass(frozen=True)
class World:
    """An API before two clients' jobs, and the receipt of an export of each."""

    api: ASGIApp
    databases: Databases
    connection: psycopg.Connection
    receipts: dict[str, str]
    jobs: dict[str, UUID]


def _rotated(world: World, overlap: timedelta) -> tuple[str, str]:
    old = make_key(world.databases)
    return old, "Bearer " + rotate_key(world.databases, COMMAND_LINE, _key_id(old), overlap=overlap)


def _revoked(world: World) -> tuple[str]:
    key = make_key(world.databases)
    revoke_key(world.databases, COMMAND_LINE, _key_id(key))
    return (key,)


def _expired(world: World) -> tuple[str]:
    key = make_key(world.databases)
    world.connection.execute("UPDATE api_keys SET expires_at = now() WHERE key_id = %s", [_key_id(key)])
    return (key,)


def _key_id(key: str) -> str:
    return key.split("_")[1]


# The Authorization headers of each.
ACTORS: dict[str, Callable[[World], tuple[str, ...]]] = {
    "anonymous": lambda world: (),
    "malformed": lambda world: (make_key(world.databases)[:-1],),
    "without-scope": lambda world: (make_key(world.databases, scopes=frozenset[Scope]()),),
    "admin-only": lambda world: (make_key(world.databases, None, scopes=frozenset({Scope.ADMIN_CONFIG})),),
    "client-A": lambda world: (make_key(world.databases, CLIENTS["A"]),),
    "client-B": lambda world: (make_key(world.databases, CLIENTS["B"]),),
    "staff": lambda world: (make_key(world.databases, None),),
    "other-network": lambda world: (
        make_key(world.databases, CLIENTS["A"], networks=["192.0.2.0/24", "2001:db8::/32"]),
    ),
    "own-network": lambda world: (make_key(world.databases, CLIENTS["A"], networks=["192.0.2.0/24", "127.0.0.0/8"]),),
    "revoked": _revoked,
    "expired": _expired,
    "rotated-within": lambda world: _rotated(world, timedelta(hours=1))[:1],
    "rotated-after": lambda world: _rotated(world, timedelta())[:1],
    "successor": lambda world: _rotated(world, timedelta())[1:],
    "reviewer-A": lambda world: (make_key(world.databases, CLIENTS["A"], scopes=frozenset({Scope.REVIEW_READ})),),
    "reviewer-B": lambda world: (make_key(world.databases, CLIENTS["B"], scopes=frozenset({Scope.REVIEW_READ})),),
    "review-staff": lambda world: (make_key(world.databases, None, scopes=frozenset({Scope.REVIEW_READ})),),
}

ROUTES: dict[str, Callable[[World], str]] = {
    "jobs": lambda world: EXPORT,
    "jobs-A": lambda world: f"{EXPORT}&client_id={CLIENTS['A']}",
    "jobs-B": lambda world: f"{EXPORT}&client_id={CLIENTS['B']}",
    "receipt-A": lambda world: f"/api/v1/exports/{world.receipts['A']}",
    "receipt-B": lambda world: f"/api/v1/exports/{world.receipts['B']}",
    "no-receipt": lambda world: f"/api/v1/exports/{uuid4()}",
    "reviews": lambda world: EXPORT.replace("jobs", "reviews"),
    # Of a job of B.
    "of-B": lambda world: f"/api/v1/jobs/{world.jobs['B']}/reviews",
    "openapi": lambda world: "/api/v1/openapi.json",
    "health": lambda world: "/health",
    "ready": lambda world: "/ready",
    "metrics": lambda world: "/metrics",
    # What a page offers to a person, no key opens.
    "ticket": lambda world: DOWNLOAD_PATH,
    "other": lambda world: "/api/v1/jobs",
}

HEAD, *LINES = [line.split() for line in TABLE.strip().splitlines()]
CASES = [(line[0], route, outcome) for line in LINES for route, outcome in zip(HEAD[1:], line[1:], strict=True)]


@pytest.fixture(scope="module")
def world(shared_url: str) -> Iterator[World]:
    """One for all of these tests: each makes its own key, and none changes what another sees."""
    settings = Settings(database_url=SecretStr(shared_url), fencepost_requests_per_minute=100_000)
    databases = open_databases(settings)
    with psycopg.connect(shared_url, autocommit=True) as connection:
        yield furnish(databases, settings, connection)
    databases.close()


def furnish(databases: Databases, settings: Settings, connection: psycopg.Connection) -> World:
    jobs = {
        mark: insert_job(connection, client_id=client, prompt=f"<{mark}>", is_prohibited=True)
        for mark, client in CLIENTS.items()
    }
    for mark, job_id in jobs.items():
        judge(databases, ANN, job_id, Verdict.AGREE, note=f"<{mark}>")
    api = create_api(databases, settings)
    receipts = {
        mark: ask(api, EXPORT, make_key(databases, client)).headers["x-export-id"] for mark, client in CLIENTS.items()
    }
    downloads = Downloads(create_services(databases, settings), TicketOffice("a secret of this test"), lambda *_: None)

    async def app(scope: RequestScope, receive: Receive, send: Send) -> None:
        await (downloads if scope["path"] == DOWNLOAD_PATH else api)(scope, receive, send)

    return World(app, databases, connection, receipts, jobs)


def outcome_of(answer: Answer) -> str:
    """Tell whose data an answer holds, or its status where it is an error."""
    if answer.status != 200:
        if answer.headers["content-type"] == "application/json":
            assert json.loads(answer.body)["statusCode"] == answer.status
        return str(answer.status)
    shown = "".join(
        mark
        for mark, client in CLIENTS.items()
        if f"<{mark}>".encode() in answer.body or f'"client_id":"{client}"'.encode() in answer.body
    )
    return shown or "ok"


def test_the_table_has_a_cell_for_every_actor_and_route() -> None:
    """No actor and no route is left out of the table."""
    assert [line[0] for line in LINES] == list(ACTORS)
    assert HEAD[1:] == list(ROUTES)


@pytest.mark.parametrize(("actor", "route", "outcome"), CASES, ids=[f"{case[0]} {case[1]}" for case in CASES])
def test_an_actor_gets_what_the_table_says(world: World, actor: str, route: str, outcome: str) -> None:
    """Whose jobs and receipts an actor reaches on a route, or the status of the refusal."""
    authorization = ACTORS[actor](world)

    answer = ask(world.api, ROUTES[route](world), *authorization)

    assert outcome_of(answer) == outcome
