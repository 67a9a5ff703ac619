"""The address of an endpoint of another server, as somebody gives it."""

import ipaddress
import re

import httpx

from core.errors import InvalidParameter

# Where the API page "Export jobs as CSV" has the endpoint.
PATH = "/api/v1/jobs/export"


def parse_url(value: str) -> httpx.URL:
    """Parse the address of an endpoint; without a path it is that of the API page.

    Raises `InvalidParameter`, which does not repeat the value: it may hold what it should not.
    """
    try:
        url = httpx.URL(str(httpx.URL(value)))
    except httpx.InvalidURL:
        url = httpx.URL()
    has_port = url.port is None or 0 < url.port <= 65535
    if url.scheme not in ("http", "https") or not re.fullmatch(rb"[\w.:\[\]-]+", url.raw_host) or not has_port:
        raise InvalidParameter("url is not an address like https://api.example.com.")
    if url.userinfo or url.query or url.fragment:
        raise InvalidParameter(
            "url is more than an address: leave out user, password, ? and #; the key is read from FENCEPOST_SYNC_KEY."
        )
    if url.scheme == "http" and not _is_loopback(url.host):
        raise InvalidParameter(
            "url must begin with https:// for another machine: http:// would show everybody the key."
        )
    return url.copy_with(path=url.path.rstrip("/") or PATH)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
