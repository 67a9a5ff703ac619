"""How a key may stand in its header, and a key that comes from elsewhere than it may."""

import json

import psycopg
import pytest

from core.db.databases import Databases
from core.settings import Settings
from tests.support.asgi import EXPORT, ask, create_api, make_key


@pytest.mark.parametrize("header", ["{} ", "{} \t ", "bearer {key}", "BEARER {key}", "Bearer   {key}"])
def test_a_key_is_taken_in_every_form_that_http_has_for_it(
    databases: Databases, settings: Settings, header: str
) -> None:
    """Blanks around a value are no part of it, and the case of a scheme says nothing (RFC 9110, 5.5 and 11.1)."""
    authorization = make_key(databases)
    given = header.format(authorization, key=authorization.removeprefix("Bearer "))

    assert ask(create_api(databases, settings), EXPORT, given).status == 200


def test_a_key_from_another_network_is_refused_and_recorded(
    databases: Databases, settings: Settings, connection: psycopg.Connection
) -> None:
    """The sentence says why, the audit has the key and from where it came, and the key does not count as used."""
    key = make_key(databases, networks=["192.0.2.0/24"])

    answer = ask(create_api(databases, settings), EXPORT, key)

    sentence = "This key is bound to other networks than this request comes from: ask whoever made it."
    assert json.loads(answer.body) == {"error": "FORBIDDEN", "message": sentence, "statusCode": 403}
    recorded = connection.execute(
        "SELECT actor, remote_address, details->>'reason' FROM audit_events WHERE event = 'export-refused'"
    )
    assert recorded.fetchall() == [(f"key:{key.split('_')[1]}", "127.0.0.1", sentence)]
    assert connection.execute("SELECT last_used_at FROM api_keys").fetchall() == [(None,)]


def test_refusals_of_a_network_are_recorded_as_often_as_the_rate_allows(
    databases: Databases, settings: Settings, connection: psycopg.Connection
) -> None:
    """Whoever has found a key fills no table with it."""
    key = make_key(databases, networks=["192.0.2.0/24"])
    api = create_api(databases, settings, fencepost_requests_per_minute=3)

    answers = [ask(api, EXPORT, key).status for _ in range(6)]

    assert answers == [403] * 6
    recorded = connection.execute("SELECT count(*) FROM audit_events WHERE event = 'export-refused'").fetchone()
    assert recorded == (3,)
