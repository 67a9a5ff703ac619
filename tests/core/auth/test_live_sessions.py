"""Open sessions: seen and ended by whom they concern."""

import time
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from core.actor import Actor, Forbidden
from core.auth.live_sessions import end_by_provider, end_session, list_sessions
from core.auth.sign_in import Door
from core.errors import NotPossible
from tests.core.auth.conftest import Entrance, claims_of, come_in

HOURS = timedelta(hours=12)
NAME = "user:https://id.example.com|"


@pytest.fixture
def door(entrance: Entrance) -> Door:
    return entrance.door(staff="@example.com", admins="admin@example.com")


def somebody(door: Door, address: str, **more: str) -> Actor:
    actor = come_in(door, claims_of(address), **more).actor
    assert actor is not None
    return actor


def test_people_see_their_own_and_admins_everybodys(entrance: Entrance, door: Door) -> None:
    """A list has what is open, newest first: neither what was ended, nor signed out of, nor is over."""
    first = somebody(door, "a@example.com", browser="one", remote_address="192.0.2.1")
    second = somebody(door, "a@example.com", browser="two")
    come_in(door, claims_of("a@example.com", auth_time=time.time() - 13 * 3600))
    end_session(entrance.databases, first, str(somebody(door, "a@example.com").session))
    gone = somebody(door, "gone@example.com")
    door.sign_out(gone)
    admin = somebody(door, "admin@example.com")

    own = list_sessions(entrance.databases, first, HOURS)
    everybodys = list_sessions(entrance.databases, admin, HOURS, everybody=True)

    assert [(row.session, row.browser, row.remote_address) for row in own] == [
        (second.session, "two", None),
        (first.session, "one", "192.0.2.1"),
    ]
    assert [row.session for row in everybodys] == [admin.session, second.session, first.session]
    with pytest.raises(Forbidden):
        list_sessions(entrance.databases, first, HOURS, everybody=True)


def test_a_session_is_ended_by_its_person_or_an_admin(
    entrance: Entrance, door: Door, connection: psycopg.Connection
) -> None:
    """Nobody else ends it; it ends once, the others go on, and the audit has who ended whose."""
    one, two, stranger = (somebody(door, name) for name in ("a@example.com", "a@example.com", "b@example.com"))
    admin = somebody(door, "admin@example.com")

    with pytest.raises(NotPossible):
        end_session(entrance.databases, stranger, str(one.session))
    end_session(entrance.databases, two, str(one.session))
    with pytest.raises(NotPossible):
        end_session(entrance.databases, two, str(one.session))
    end_session(entrance.databases, admin, str(stranger.session))

    assert [door.recognise(str(actor.session)) is None for actor in (one, two, stranger, admin)] == [
        *(True, False, True, False)
    ]
    recorded = connection.execute("SELECT actor, subject FROM audit_events WHERE event = 'session-ended' ORDER BY seq")
    assert recorded.fetchall() == [
        (f"{NAME}a@example.com", f"{NAME}a@example.com"),
        (f"{NAME}admin@example.com", f"{NAME}b@example.com"),
    ]


@pytest.mark.parametrize(
    ("provider", "person", "sid", "ended"),
    [
        ("default", f"{NAME}a@example.com", None, [True, True, False]),
        ("default", None, "one", [True, False, False]),
        ("default", f"{NAME}a@example.com", "two", [False, True, False]),
        ("default", f"{NAME}b@example.com", "two", [False, False, False]),
        ("other", f"{NAME}a@example.com", None, [False, False, False]),
        ("default", None, None, [False, False, False]),
    ],
)
def test_the_provider_ends_what_it_names(
    entrance: Entrance, door: Door, provider: str, person: str | None, sid: str | None, ended: list[bool]
) -> None:
    """A session of the provider's own where it names one, all of a person's where not, and of its own alone."""
    for session, name, own in (("a", "a", "one"), ("b", "a", "two"), ("c", "b", "three")):
        door.sign_in(session * 64, claims_of(f"{name}@example.com", sid=own), "default")

    before = datetime.now(UTC) + timedelta(minutes=1)
    count = end_by_provider(entrance.databases, provider, person=person, provider_session=sid, before=before)

    assert [door.enter(session * 64).ended for session in "abc"] == ended
    assert count == sum(ended)


def test_what_began_later_goes_on(entrance: Entrance, door: Door) -> None:
    """A word of the provider that comes once more ends nothing that began after it."""
    actor = somebody(door, "a@example.com")

    before = datetime.now(UTC) - timedelta(minutes=1)
    ended = end_by_provider(entrance.databases, "default", person=actor.name, provider_session=None, before=before)

    assert ended == 0
    assert door.recognise(str(actor.session)) is not None
