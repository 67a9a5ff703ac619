"""Where webhooks may go."""

import pytest

from core.errors import InvalidParameter, InvalidSetting, NotPossible
from core.settings import Settings
from core.webhooks.target import is_public, parse_target, read_networks, resolve


@pytest.mark.parametrize(
    "text",
    [
        *("http://example.com/", "ftp://example.com/", "https://", "example.com", "", "https://user:x@example.com/"),
        *("https://example.com/#part", "https://example.com:99999/", "https://exa mple.com/", "file:///etc/passwd"),
        *("https://example.com/" + "x" * 2_000, "http://10.0.0.1/", "https://exa\u202emple.com\n"),
    ],
)
def test_what_is_no_address_for_webhooks_is_refused(text: str) -> None:
    """Messages go by TLS to a host, with nothing in the address that would be a secret of a person."""
    with pytest.raises(InvalidParameter) as caught:
        parse_target(text)

    assert "user:x" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        *((address, True) for address in ("93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946")),
        *(
            (address, False)
            for address in (
                *("127.0.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
                *("224.0.0.1", "255.255.255.255", "198.18.0.1", "::1", "::", "fe80::1%eth0", "fd00:ec2::254"),
                # The same within IPv6: mapped, through NAT64, 6to4 and Teredo.
                *("::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::1", "ff02::1"),
                # Not of the world, though Python may take them for it: old and local forms, metadata of clouds.
                *("fec0::1", "64:ff9b:1::7f00:1", "::7f00:1", "::ffff:0:7f00:1", "3fff::1", "5f00::1"),
                *("192.0.0.192", "168.63.129.16", "::ffff:168.63.129.16", "64:ff9b::a83f:8110"),
            )
        ),
    ],
)
def test_only_addresses_of_the_world_are_public(address: str, expected: bool) -> None:
    """Loopback, private networks, the services of clouds, and all of these in disguise are none."""
    assert is_public(address) is expected


def test_a_private_address_needs_the_setting() -> None:
    """What the setting names is gone to, what it does not name is not, and it is looked up anew each time."""
    url = parse_target("http://127.0.0.1:8080/hooks?a=b")
    networks = read_networks(Settings(fencepost_webhook_networks="127.0.0.0/8, 10.20.0.0/16"))

    assert networks == ["127.0.0.0/8", "10.20.0.0/16"]
    assert resolve(url, networks).addresses == ("127.0.0.1",)
    for allowed in ([], ["10.20.0.0/16"]):
        with pytest.raises(NotPossible, match="private network"):
            resolve(url, allowed)
    with pytest.raises(InvalidSetting, match="FENCEPOST_WEBHOOK_NETWORKS"):
        read_networks(Settings(fencepost_webhook_networks="10.20.0.1/16"))
