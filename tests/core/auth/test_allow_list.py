"""Lists of people: whom an entry means, and whom it does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.actor import STAFF_SCOPES, Scope
from core.auth.allow_list import _parse_list
from core.errors import InvalidSetting
from tests.core.auth.conftest import Entrance

READ, ADMIN = STAFF_SCOPES, Scope.ADMIN_CONFIG


def test_each_list_gives_its_own_scope(entrance: Entrance) -> None:
    """Staff read jobs, admins manage; who is on both lists does both, who is on none comes not in."""
    door = entrance.door(staff="a@example.com, both@example.com", admins="both@example.com,root@example.com")

    assert entrance.scopes(door, "a@example.com") == READ
    assert entrance.scopes(door, "root@example.com") == {ADMIN}
    assert entrance.scopes(door, "both@example.com") == READ | {ADMIN}
    assert entrance.scopes(door, "c@example.com") == set()
    assert entrance.scopes(door, "a@example.com.example.org") == set()


@pytest.mark.parametrize("address", ["A@Example.COM", " a@example.com "])
def test_case_and_space_do_not_matter(entrance: Entrance, address: str) -> None:
    """Addresses are compared as mail servers do in practice."""
    assert entrance.scopes(entrance.door(staff="a@EXAMPLE.com"), address) == READ


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
    expected = READ if stripped == "x@team.example.com" else set()

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

    assert entrance.scopes(door, "a@example.com", provider="google") == READ
    assert entrance.scopes(door, "b@example.com", provider="google") == set()
    assert entrance.scopes(door, "b@example.com", provider="company") == READ


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
