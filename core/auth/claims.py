"""What an OpenID provider says of somebody who has signed in (OpenID Connect Core, section 2)."""

import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from core.auth.address_claim import EMAIL
from core.auth.allow_list import LOWER
from core.characters import is_storable

# Groups of one person that are kept, and characters of one; providers themselves send no more than some hundreds.
MOST_GROUPS = 1_000
LONGEST_GROUP = 200


@dataclass(frozen=True, slots=True)
class Identity:
    """Who has signed in, and when. `provider_session`: what the provider calls its own session (`sid`), if it does."""

    person: str
    address: str
    provider: str
    is_verified: bool
    authenticated_at: datetime
    is_time_said: bool
    provider_session: str | None
    groups: tuple[str, ...] = ()


def read_identity(
    claims: Mapping[str, Any], provider: str, address_claim: str = EMAIL, groups_claim: str = ""
) -> Identity | None:
    """Read the claims of an ID token, or return None where they say too little."""
    issuer, subject, address = (claims.get(name) for name in ("iss", "sub", address_claim))
    verified = claims.get("email_verified")
    said_at = _instant(claims.get("auth_time"))
    authenticated_at = said_at or _instant(claims.get("iat"))
    if authenticated_at is None or not all(map(is_text, (issuer, subject, address))):
        return None
    provider_session = claims.get("sid")
    return Identity(
        person=name_person(str(issuer), str(subject)),
        address=str(address).strip(string.whitespace).translate(LOWER),
        provider=provider,
        # A boolean (OpenID Connect Core, section 5.1), which some providers send as text. It is said of `email` alone.
        is_verified=address_claim == EMAIL and (verified is True or verified == "true"),
        authenticated_at=authenticated_at,
        is_time_said=said_at is not None,
        provider_session=str(provider_session) if is_text(provider_session) else None,
        groups=_read_groups(claims.get(groups_claim)) if groups_claim else (),
    )


def _read_groups(said: object) -> tuple[str, ...]:
    """Read a list of names, or one; what is no name is no group."""
    found = [said] if isinstance(said, str) else said if isinstance(said, list) else []
    names = dict.fromkeys(str(name) for name in found if is_text(name) and len(str(name)) <= LONGEST_GROUP)
    return tuple(names)[:MOST_GROUPS]


def name_person(issuer: str, subject: str) -> str:
    """Name a person as receipts and the audit do."""
    return f"user:{issuer}|{subject}"


def is_text(value: object) -> bool:
    """Tell whether a claim is a text that says something and can be stored."""
    return isinstance(value, str) and value != "" and is_storable(value)


def _instant(value: object) -> datetime | None:
    """Read a NumericDate: seconds since 1970 (RFC 7519, section 2)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
