"""Providers without `email`: another claim names people, where it is trusted by name."""

import pytest

from core.actor import STAFF_SCOPES
from core.errors import InvalidSetting
from tests.core.auth.conftest import Entrance, claims_of


@pytest.mark.parametrize("claim", ["preferred_username", "upn"])
def test_a_claim_that_is_named_is_the_address(entrance: Entrance, claim: str) -> None:
    """With several providers it is named for each; the others still go by `email`, and who lacks the claim is told."""
    door = entrance.door(
        "google", "entra", staff="entra:a@example.com,google:b@example.com", trust_email="entra",
        address_claim=f"entra:{claim}",
    )  # fmt: skip
    entra = {"provider": "entra", "email": None, "email_verified": None}

    assert entrance.scopes(door, "a@example.com", **entra, **{claim: "A@example.com"}) == STAFF_SCOPES
    assert entrance.scopes(door, "b@example.com", provider="google") == STAFF_SCOPES
    assert entrance.scopes(door, "a@example.com", provider="entra") == set()
    refused = door.sign_in("a" * 64, claims_of("a@example.com", **entra), "entra")
    assert str(refused).startswith(f"Your provider does not say {claim}, by which people are known here")


def test_what_is_said_of_email_is_not_said_of_another_claim(entrance: Entrance) -> None:
    """A verified `email` does not make the address of another claim a verified one."""
    with pytest.raises(InvalidSetting, match="takes upn for an address, which no provider verifies: name default in"):
        entrance.door(staff="a@example.com", address_claim="upn")

    assert entrance.scopes(entrance.door(staff="a@example.com"), "b@example.com", upn="a@example.com") == set()


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("sub", "names an unknown claim: choose email, preferred_username, upn"),
        ("okta:upn", "names a provider that"),
        ("upn", "has a claim without its provider, and there are several: write google:upn"),
    ],
)
def test_a_setting_that_could_mean_nobody_is_refused(entrance: Entrance, value: str, sentence: str) -> None:
    """At start, in a sentence that says what to write."""
    with pytest.raises(InvalidSetting, match=sentence):
        entrance.door("google", "entra", staff="google:a@example.com", trust_email="entra", address_claim=value)
