"""A key that comes from elsewhere than it may."""

import json

import psycopg

from core.db.databases import Databases
from core.settings import Settings
from tests.support.asgi import EXPORT, ask, create_api, make_key


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
