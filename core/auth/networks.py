"""Networks that a key is bound to, in the notation of CIDR (RFC 4632, RFC 4291)."""

import ipaddress
from collections.abc import Iterable

from core.errors import InvalidParameter

# A key that needs more is better two keys.
MOST = 50


def parse_networks(texts: Iterable[str]) -> list[str]:
    """Return networks as they are stored, each once; a single address is a network of one.

    Raises `InvalidParameter` where one is none, or has bits beyond its length: somebody meant something else.
    """
    found: dict[str, None] = {}
    for text in filter(None, (text.strip() for text in texts)):
        try:
            found[str(ipaddress.ip_network(text))] = None
        except ValueError:
            raise InvalidParameter(
                "network is not an address or a network like 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32: correct it."
            ) from None
    if len(found) > MOST:
        raise InvalidParameter(f"network is given more than {MOST} times: name larger networks, or make several keys.")
    return list(found)


def is_within(networks: Iterable[str], address: str | None) -> bool:
    """Tell whether an address lies in one of the networks. IPv4 within IPv6 (`::ffff:192.0.2.7`) counts as IPv4."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return any((mapped or parsed) in ipaddress.ip_network(network) for network in networks)
