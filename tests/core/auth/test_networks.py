"""Networks that keys are bound to."""

import pytest

from core.auth.networks import MOST, is_within, parse_networks
from core.errors import InvalidParameter


def test_networks_are_read_as_they_are_stored() -> None:
    """Spaces and empty parts do not count, an address is a network of one, and each stands there once."""
    given = [" 192.0.2.0/24", "", "192.0.2.7", "2001:DB8::/32 ", "192.0.2.0/24", "0.0.0.0/0"]

    assert parse_networks(given) == ["192.0.2.0/24", "192.0.2.7/32", "2001:db8::/32", "0.0.0.0/0"]
    assert parse_networks([]) == []


@pytest.mark.parametrize(
    "text", ["192.0.2.7/24", "192.0.2", "192.0.2.0/33", "example.org", "192.0.2.0-192.0.2.9", "1", "fe80::1%eth0/64"]
)
def test_what_is_no_network_is_refused(text: str) -> None:
    """Bits beyond the length mean that somebody meant something else."""
    with pytest.raises(InvalidParameter, match="network is not an address or a network like"):
        parse_networks(["192.0.2.0/24", text])


def test_too_many_networks_are_refused() -> None:
    """A list that nobody can read is no list."""
    with pytest.raises(InvalidParameter, match="more than 50 times"):
        parse_networks([f"192.0.2.{number}" for number in range(MOST + 1)])


@pytest.mark.parametrize(
    ("address", "within"),
    [
        *(("192.0.2.255", True), ("192.0.3.0", False), ("2001:db8::1", True), ("2001:db9::1", False)),
        *(("::ffff:192.0.2.1", True), ("::ffff:192.0.3.1", False), (None, False), ("", False), ("nowhere", False)),
    ],
)
def test_an_address_is_within_or_not(address: str | None, within: bool) -> None:
    """IPv4 that comes as IPv6 is the same address; who comes from nowhere is not within."""
    assert is_within(["192.0.2.0/24", "2001:db8::/32"], address) is within
