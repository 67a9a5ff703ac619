"""Where webhooks may go: to the world by TLS, and into networks of one's own only where a setting names them.

Whoever may name an address could otherwise let this server ask what only it can reach (server-side request forgery).
"""

import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.auth.networks import is_within, parse_networks
from core.errors import InvalidParameter, InvalidSetting, NotPossible
from core.settings import Settings

if TYPE_CHECKING:
    import httpx

LONGEST_URL = 2_000

# Addresses of a host that are tried: one of each family, as most have.
MOST_ADDRESSES = 2

# IPv4 within IPv6 for networks that have none of their own (RFC 6052).
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

# All of IPv6 that is given to anybody in the world (RFC 4291, section 2.4): beyond it are only networks of one's own,
# some of which `ipaddress` takes for the world, such as fec0::/10 and 64:ff9b:1::/48.
_GIVEN_OUT = ipaddress.ip_network("2000::/3")

# Taken for the world, too: IETF protocols (RFC 6890; a cloud has its metadata there), documentation (RFC 9637), and
# what a machine at Azure is told about itself by.
_NOT_OF_THE_WORLD = [ipaddress.ip_network(each) for each in ("192.0.0.0/24", "3fff::/20", "168.63.129.16/32")]


@dataclass(frozen=True, slots=True)
class Target:
    """An address on the web, and the numbers that its host has now, each of which may be spoken to."""

    url: "httpx.URL"
    addresses: tuple[str, ...]


def read_networks(settings: Settings) -> list[str]:
    """Return the networks that webhooks may go to beside the world. Raises `InvalidSetting`."""
    try:
        return parse_networks(settings.fencepost_webhook_networks.split(","))
    except InvalidParameter:
        raise InvalidSetting(
            "FENCEPOST_WEBHOOK_NETWORKS is no list of networks like 10.20.0.0/16: correct or unset it."
        ) from None


def parse_target(text: str) -> "httpx.URL":
    """Parse the address of an endpoint. Raises `InvalidParameter`, which does not repeat it: it may hold a secret."""
    # Here, because every server starts with this module and few have webhooks.
    import httpx

    try:
        url = httpx.URL(text.strip())
    except httpx.InvalidURL:
        url = httpx.URL()
    has_port = url.port is None or 0 < url.port <= 65535
    is_address = url.scheme in ("http", "https") and re.fullmatch(rb"[\w.:\[\]-]+", url.raw_host) and has_port
    if not is_address or len(text) > LONGEST_URL or not text.isprintable():
        raise InvalidParameter("The address is not one like https://example.com/webhooks: correct it.")
    if url.userinfo or url.fragment:
        raise InvalidParameter("The address holds a user, a password or a #: leave them out, messages are signed.")
    if url.scheme == "http" and not _is_loopback(url.host):
        raise InvalidParameter("The address must begin with https://: on the way http:// could be read and changed.")
    return url


def resolve(url: "httpx.URL", networks: Sequence[str]) -> Target:
    """Look up the host, anew each time. Raises `NotPossible` where it has no address, or one that is not allowed."""
    try:
        found = socket.getaddrinfo(url.host, url.port or 443, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NotPossible("its host has no address") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not all(is_public(address) or is_within(networks, address) for address in addresses):
        # One is enough: whoever answers for the name must not choose which one is taken.
        raise NotPossible("its host is in a private network, which FENCEPOST_WEBHOOK_NETWORKS does not name")
    families = {":" in address: address for address in reversed(addresses)}
    return Target(url, tuple(address for address in addresses if address in families.values())[:MOST_ADDRESSES])


def is_public(address: str) -> bool:
    """Tell whether an address is one of the world, whatever it is wrapped in."""
    number = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(number, ipaddress.IPv6Address):
        inner = number.ipv4_mapped or number.sixtofour or (number.teredo and number.teredo[1])
        if number in _NAT64:
            inner = ipaddress.IPv4Address(int(number) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if number not in _GIVEN_OUT:
            return False
    is_special = any(number in network for network in _NOT_OF_THE_WORLD)
    return number.is_global and not number.is_multicast and not is_special


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
