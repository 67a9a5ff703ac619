"""Who may come in: lists of people, claims, and the life of a session."""

import time
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.actor import Scope
from core.auth.allow_list import _parse_list
from core.auth.sign_in import Door
from core.db.databases import Databases
from core.errors import InvalidSetting
from core.settings import Settings

READ, ADMIN = Scope.JOB_READ, Scope.ADMIN_CONFIG


@dataclass
class Entrance:
    """A door for one test, and claims to come with."""

    databases: Databases

    def door(self, *providers: str, **people: Any) -> Door:
        values = {f"fencepost_{name}": value for name, value in people.items()}
        return Door(self.databases, Settings(**values), providers or ("default",))

    def scopes(self, door: Door, address: str, **claims: Any) -> set[Scope]:
        actor = door.enter(claims_of(address, **claims)).actor
        return set() if actor is None else set(actor.scopes)


def claims_of(address: str, **claims: Any) -> dict[str, Any]:
    now = time.time()
    ordinary = {"iss": "https://id.example.com", "sub": address, "email": address, "email_verified": True}
    return ordinary | {"iat": now, "auth_time": now, "nonce": "n", "provider": "default"} | claims


@pytest.fixture
def entrance(databases: Databases) -> Entrance:
    return Entrance(databases)


def test_each_list_gives_its_own_scope(entrance: Entrance) -> None:
    """Staff read jobs, admins manage; who is on both lists does both, who is on none comes not in."""
    door = entrance.door(staff="a@example.com, both@example.com", admins="both@example.com,root@example.com")

    assert entrance.scopes(door, "a@example.com") == {READ}
    assert entrance.scopes(door, "root@example.com") == {ADMIN}
    assert entrance.scopes(door, "both@example.com") == {READ, ADMIN}
    assert entrance.scopes(door, "c@example.com") == set()


@pytest.mark.parametrize("address", ["A@Example.COM", " a@example.com "])
def test_case_and_space_do_not_matter(entrance: Entrance, address: str) -> None:
    """Addresses are compared as mail servers do in practice."""
    assert entrance.scopes(entrance.door(staff="a@EXAMPLE.com"), address) == {READ}


@pytest.mark.parametrize(
    "address",
    [
        *("x@team.example.com.evil.org", "x@evilteam.example.com", "x@sub.team.example.com", "@team.example.com"),
        *("x@team.example.com@evil.org", "x@evil.org@team.example.com", "team.example.com", "x@team.example.co"),
        *("x@tea\u043c.example.com", "x@team.example.com\n", "x\u212a@team.example.com@", "x"),
    ],
)
def test_a_domain_means_exactly_itself(entrance: Entrance, address: str) -> None:
    """No longer or shorter name, no second @ and no letter that looks alike belongs to a domain."""
    stripped = address.strip()
    expected = {READ} if stripped == "x@team.example.com" else set()

    assert entrance.scopes(entrance.door(staff="@team.example.com"), address) == expected


@given(
    st.text(alphabet="abK\u212a\u0130i@.-x", max_size=12).map(lambda text: f"{text}@ex.org"),
)
def test_only_the_address_itself_is_on_a_list_of_addresses(address: str) -> None:
    """Whatever a provider sends, it matches an entry only where it is that text, but for the case of ASCII."""
    (entry,) = _parse_list("FENCEPOST_STAFF", "aki@ex.org", ("default",))

    assert entry.means("default", address) == (address == "aki@ex.org")


def test_with_several_providers_an_entry_belongs_to_one(entrance: Entrance) -> None:
    """The same address at another provider is somebody else."""
    door = entrance.door("google", "company", staff="google:a@example.com,company:@example.com")

    assert entrance.scopes(door, "a@example.com", provider="google") == {READ}
    assert entrance.scopes(door, "b@example.com", provider="google") == set()
    assert entrance.scopes(door, "b@example.com", provider="company") == {READ}


@pytest.mark.parametrize(
    ("people", "sentence"),
    [
        ({"staff": "a@example.com"}, "FENCEPOST_STAFF has an entry without its provider, and there are several"),
        ({"admins": "other:a@example.com"}, "FENCEPOST_ADMINS names a provider that [auth] does not have"),
        ({"staff": "google:example.com"}, "FENCEPOST_STAFF has an entry that is neither an address nor @domain"),
        ({"staff": "google:a@"}, "FENCEPOST_STAFF has an entry that is neither an address nor @domain"),
        ({"staff": "google:a b@c"}, "FENCEPOST_STAFF has an entry that is neither an address nor @domain"),
        ({"trust_email": "gogle"}, "FENCEPOST_TRUST_EMAIL names a provider that [auth] does not have"),
    ],
)
def test_an_entry_that_could_mean_too_many_or_nobody_is_an_error(
    entrance: Entrance, people: dict[str, str], sentence: str
) -> None:
    """The server does not start with a list that somebody mistyped."""
    with pytest.raises(InvalidSetting) as caught:
        entrance.door("google", "company", **people)

    assert str(caught.value).startswith(sentence)


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
    assert entrance.scopes(door, "a@example.com", auth_time=None, iat=now - 3500) == {READ}
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
    assert entrance.scopes(door, "a@example.com", nonce="4") == {READ}
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
