"""Who may come in: claims, and the life of a session."""

import time
from dataclasses import replace

import psycopg
import pytest

from core.actor import COMMAND_LINE, STAFF_SCOPES
from core.auth.live_sessions import list_sessions
from core.auth.sign_in import Leaving
from tests.core.auth.conftest import Entrance, claims_of, come_in


@pytest.mark.parametrize("verified", [False, None, "false", 1.5, "yes"])
def test_an_address_must_be_verified_or_its_provider_trusted(entrance: Entrance, verified: object) -> None:
    """Only true counts; a provider that never says so can be trusted by name."""
    claims = claims_of("a@example.com", email_verified=verified)

    refused = come_in(entrance.door(staff="a@example.com"), claims)
    trusted = come_in(entrance.door(staff="a@example.com", trust_email="default"), claims)

    assert refused.actor is None
    assert "verified" in str(refused.refusal)
    assert trusted.actor is not None


@pytest.mark.parametrize("value", [None, "", 7, ["a@example.com"], "a\0@example.com", "a\ud800@example.com"])
@pytest.mark.parametrize("claim", ["iss", "sub", "email"])
def test_claims_that_say_too_little_let_nobody_in(entrance: Entrance, claim: str, value: object) -> None:
    """Without issuer, subject or address, each a text that can be stored, there is no session."""
    claims = claims_of("a@example.com") | {claim: value}
    door = entrance.door(staff="@example.com")

    assert door.sign_in("a" * 64, claims, "default") is not None
    assert door.enter("a" * 64).actor is None


@pytest.mark.parametrize("value", [None, "soon", float("nan"), float("inf"), True, 1e300, -62135596800])
def test_without_a_time_of_sign_in_nobody_comes_in(entrance: Entrance, value: object) -> None:
    """Hours that cannot be counted are over."""
    claims = claims_of("a@example.com", iat=value, auth_time=value)

    assert come_in(entrance.door(staff="a@example.com"), claims).actor is None


def test_hours_count_from_auth_time_else_from_iat(entrance: Entrance) -> None:
    """A fresh token of an old sign-in is old; without auth_time the token's own time counts."""
    door = entrance.door(staff="a@example.com", session_hours=1)
    now = time.time()

    assert entrance.scopes(door, "a@example.com", auth_time=now - 3700, iat=now) == set()
    assert entrance.scopes(door, "a@example.com", auth_time=None, iat=now - 3700) == set()
    assert entrance.scopes(door, "a@example.com", auth_time=None, iat=now - 3500) == STAFF_SCOPES
    assert entrance.scopes(door, "a@example.com", auth_time=now + 3600) == set()


def test_a_sign_out_ends_what_was_before_and_nothing_after(entrance: Entrance, connection: psycopg.Connection) -> None:
    """Sessions from before a sign-out are worthless, in whichever browser; a new sign-in is not."""
    door = entrance.door(staff="a@example.com")
    claims = claims_of("a@example.com")
    actor = come_in(door, claims).actor
    other = come_in(door, claims).actor
    assert actor is not None
    assert other is not None

    door.sign_out(actor)

    sessions = [str(actor.session), str(other.session)]
    assert [door.enter(session).ended for session in sessions] == [True, True]
    assert [door.recognise(session) for session in sessions] == [None, None]
    assert come_in(door, claims).actor is not None
    recorded = connection.execute("SELECT event, actor FROM audit_events ORDER BY seq").fetchall()
    name = "user:https://id.example.com|a@example.com"
    assert recorded == [(event, name) for event in ("signed-in", "signed-in", "signed-out", "signed-in")]


def test_a_session_is_told_to_the_audit_once(entrance: Entrance, connection: psycopg.Connection) -> None:
    """Every rerun looks the person up; the audit hears of it when the answer changes."""
    session = come_in(entrance.door(staff="a@example.com"), claims_of("a@example.com")).actor
    assert session is not None
    for staff in ("a@example.com", "b@example.com", "b@example.com", "a@example.com"):
        entrance.door(staff=staff).enter(str(session.session))

    recorded = connection.execute("SELECT event FROM audit_events ORDER BY seq").fetchall()
    assert [event for (event,) in recorded] == ["signed-in", "refused", "signed-in"]


def test_leaving_ends_the_session_and_gives_its_token_back_once(
    entrance: Entrance, connection: psycopg.Connection
) -> None:
    """Who goes is out everywhere; the provider's token serves to sign out there, and is then forgotten."""
    door = entrance.door(staff="a@example.com")
    actor = come_in(door, claims_of("a@example.com"), id_token="a token").actor
    assert actor is not None

    assert door.leave(str(actor.session)) == Leaving("default", "a token")
    assert door.leave(str(actor.session)) == Leaving("default", None)
    assert door.leave("f" * 64) is None
    assert door.enter(str(actor.session)).ended
    recorded = connection.execute("SELECT event FROM audit_events ORDER BY seq").fetchall()
    assert [event for (event,) in recorded] == ["signed-in", "signed-out"]


def test_a_refused_person_can_leave(entrance: Entrance, connection: psycopg.Connection) -> None:
    """Whoever may not come in has a session, too, which ends without a word in the audit."""
    door = entrance.door(staff="a@example.com")
    door.sign_in("b" * 64, claims_of("b@example.com"), "default")

    assert door.leave("b" * 64) == Leaving("default", None)
    assert door.enter("b" * 64).ended
    recorded = connection.execute("SELECT event FROM audit_events ORDER BY seq").fetchall()
    assert [event for (event,) in recorded] == ["refused"]


def test_a_new_sign_in_ends_the_one_that_the_browser_had(entrance: Entrance) -> None:
    """A browser has one session: what was there before the sign-in opens nothing after it."""
    door = entrance.door(staff="@example.com")
    door.sign_in("a" * 64, claims_of("a@example.com"), "default")

    door.sign_in("b" * 64, claims_of("b@example.com"), "default", instead_of="a" * 64)

    assert door.enter("a" * 64).ended
    assert door.enter("b" * 64).actor is not None


def test_long_tokens_and_those_of_old_sessions_are_not_kept(entrance: Entrance, connection: psycopg.Connection) -> None:
    """What no address can hold is not stored, and a token goes when its session is over."""
    door = entrance.door(staff="@example.com")
    door.sign_in("a" * 64, claims_of("a@example.com"), "default", id_token="x" * 60_000)
    door.sign_in("b" * 64, claims_of("b@example.com", auth_time=time.time() - 13 * 3600), "default", id_token="old")

    door.sign_in("c" * 64, claims_of("c@example.com"), "default", id_token="new", browser="x" * 1000)

    kept = connection.execute("SELECT id_token, length(browser) FROM sessions ORDER BY session").fetchall()
    assert kept == [(None, None), (None, None), ("new", 300)]


@pytest.mark.parametrize("verified", [1, 1.0, "True", "1", [True]])
def test_only_true_is_verified(entrance: Entrance, verified: object) -> None:
    """`email_verified` is a boolean, or the word that some providers send for it."""
    door = entrance.door(staff="a@example.com")

    assert entrance.scopes(door, "a@example.com", email_verified=verified) == set()


@pytest.mark.parametrize("space", ["\u00a0", "\u2003", "\u3000", "\x85", "\x1c"])
def test_another_kind_of_space_is_another_address(entrance: Entrance, space: str) -> None:
    """Only spaces of ASCII around an address are cut: with any other character it is somebody else's."""
    door = entrance.door(staff="a@example.com")

    assert entrance.scopes(door, f"a@example.com{space}") == set()
    assert entrance.scopes(door, f"{space}a@example.com") == set()
    assert entrance.scopes(door, " a@example.com ") == STAFF_SCOPES


@pytest.mark.parametrize(
    ("minutes", "seconds_ago", "is_fresh"),
    [
        (10, 0, True),
        (10, 700, False),
        (10, None, False),
        (None, 700, True),
        (None, None, True),
    ],
)
def test_a_sign_in_is_fresh_for_so_many_minutes(
    entrance: Entrance, minutes: float | None, seconds_ago: float | None, is_fresh: bool
) -> None:
    """What counts is when the provider says that somebody signed in there; that its token is new says nothing."""
    door = entrance.door(staff="a@example.com", step_up_minutes=minutes)
    auth_time = None if seconds_ago is None else time.time() - seconds_ago

    actor = come_in(door, claims_of("a@example.com", auth_time=auth_time)).actor

    assert actor is not None
    assert actor.is_fresh is is_fresh
    found = door.recognise(str(actor.session))
    assert found is not None
    assert found.is_fresh is is_fresh


def test_a_session_ends_without_acts(entrance: Entrance, connection: psycopg.Connection) -> None:
    """What a page does by itself is no act; a click and a running download are. Without the setting nothing ends it."""
    door = entrance.door(staff="@example.com", idle_minutes=30)
    actors = [come_in(door, claims_of(f"{name}@example.com")).actor for name in "abc"]
    waiting, clicking, loading = (str(actor.session) for actor in actors if actor is not None)

    connection.execute("UPDATE sessions SET last_seen_at = last_seen_at - interval '29 minutes'")
    door.enter(waiting, acts=False)
    door.recognise(waiting)
    door.enter(clicking)
    door.recognise(loading, acts=True)
    connection.execute("UPDATE sessions SET last_seen_at = last_seen_at - interval '2 minutes'")

    assert [door.recognise(session) is None for session in (waiting, clicking, loading)] == [True, False, False]
    assert door.enter(waiting).refusal == "You did nothing here for 30 minutes: sign in again."
    admin = replace(COMMAND_LINE, name="user:admin")
    listed = list_sessions(entrance.databases, admin, door.hours, door.idle, everybody=True)
    assert {row.session for row in listed} == {clicking, loading}
    assert entrance.door(staff="@example.com").recognise(waiting) is not None
