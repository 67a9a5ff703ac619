"""Who may come in: claims, and the life of a session."""

import time

import psycopg
import pytest

from core.actor import Scope
from tests.core.auth.conftest import Entrance, claims_of


@pytest.mark.parametrize("verified", [False, None, "false", 1.5, "yes"])
def test_an_address_must_be_verified_or_its_provider_trusted(entrance: Entrance, verified: object) -> None:
    """Only true counts; a provider that never says so can be trusted by name."""
    claims = claims_of("a@example.com", email_verified=verified)

    refused = entrance.door(staff="a@example.com").enter(claims)
    trusted = entrance.door(staff="a@example.com", trust_email="default").enter(claims)

    assert refused.actor is None
    assert "verified" in str(refused.refusal)
    assert trusted.actor is not None


@pytest.mark.parametrize("value", [None, "", 7, ["a@example.com"], "a\0@example.com", "a\ud800@example.com"])
@pytest.mark.parametrize("claim", ["iss", "sub", "email"])
def test_claims_that_say_too_little_let_nobody_in(entrance: Entrance, claim: str, value: object) -> None:
    """Without issuer, subject or address, each a text that can be stored, there is no person."""
    claims = claims_of("a@example.com") | {claim: value}

    visit = entrance.door(staff="@example.com").enter(claims)

    assert (visit.actor, visit.ended) == (None, False)


@pytest.mark.parametrize("value", [None, "soon", float("nan"), float("inf"), True, 1e300, -62135596800])
def test_without_a_time_of_sign_in_nobody_comes_in(entrance: Entrance, value: object) -> None:
    """Hours that cannot be counted are over."""
    assert (
        entrance.door(staff="a@example.com").enter(claims_of("a@example.com", iat=value, auth_time=value)).actor is None
    )


def test_hours_count_from_auth_time_else_from_iat(entrance: Entrance) -> None:
    """A fresh token of an old sign-in is old; without auth_time the token's own time counts."""
    door = entrance.door(staff="a@example.com", session_hours=1)
    now = time.time()

    assert entrance.scopes(door, "a@example.com", auth_time=now - 3700, iat=now) == set()
    assert entrance.scopes(door, "a@example.com", auth_time=None, iat=now - 3700) == set()
    assert entrance.scopes(door, "a@example.com", auth_time=None, iat=now - 3500) == {Scope.JOB_READ}
    assert entrance.scopes(door, "a@example.com", auth_time=now + 3600) == set()


def test_a_sign_out_ends_what_was_before_and_nothing_after(entrance: Entrance, connection: psycopg.Connection) -> None:
    """Sessions that were seen, and tokens that were made, before a sign-out are worthless; a new sign-in is not."""
    door = entrance.door(staff="a@example.com")
    first, second = claims_of("a@example.com", nonce="1"), claims_of("a@example.com", nonce="2")
    actor = door.enter(first).actor
    assert actor is not None
    assert actor.session is not None
    assert door.enter(second).actor is not None
    hidden = claims_of("a@example.com", nonce="3", iat=time.time() - 600)

    door.sign_out(actor)

    assert [visit.ended for visit in map(door.enter, (first, second, hidden))] == [True, True, True]
    assert door.recognise(actor.session) is None
    assert entrance.scopes(door, "a@example.com", nonce="4") == {Scope.JOB_READ}
    recorded = connection.execute("SELECT event, actor FROM audit_events ORDER BY seq").fetchall()
    name = "user:https://id.example.com|a@example.com"
    assert recorded == [(event, name) for event in ("signed-in", "signed-in", "signed-out", "signed-in")]


def test_a_session_is_told_to_the_audit_once(entrance: Entrance, connection: psycopg.Connection) -> None:
    """Every rerun looks the person up; the audit hears of it when the answer changes."""
    claims = claims_of("a@example.com")
    for staff in ("a@example.com", "a@example.com", "b@example.com", "b@example.com", "a@example.com"):
        entrance.door(staff=staff).enter(claims)

    recorded = connection.execute("SELECT event FROM audit_events ORDER BY seq").fetchall()
    assert [event for (event,) in recorded] == ["signed-in", "refused", "signed-in"]


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
    assert entrance.scopes(door, " a@example.com ") == {Scope.JOB_READ}
