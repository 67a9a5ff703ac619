"""Which claim of an ID token is a person's address, by which the lists of people know them."""

from core.errors import InvalidSetting
from core.settings import Settings

EMAIL = "email"

# What providers without `email` (Microsoft Entra) send; nobody verifies it.
_CLAIMS = (EMAIL, "preferred_username", "upn")


def parse_claims(settings: Settings, providers: tuple[str, ...], trusted: frozenset[str]) -> dict[str, str]:
    """Return the claim of each provider for which FENCEPOST_ADDRESS_CLAIM names one; the others use `email`.

    Raises `InvalidSetting`, also where a claim that nobody verifies is not trusted by name: nobody could come in.
    """
    claims: dict[str, str] = {}
    for item in filter(None, (item.strip() for item in settings.fencepost_address_claim.split(","))):
        provider, colon, claim = item.rpartition(":")
        if claim not in _CLAIMS:
            raise InvalidSetting(f"FENCEPOST_ADDRESS_CLAIM names an unknown claim: choose {', '.join(_CLAIMS)}.")
        if colon and providers and provider not in providers:
            raise InvalidSetting(
                f"FENCEPOST_ADDRESS_CLAIM names a provider that [auth] does not have: it has {', '.join(providers)}."
            )
        if not colon and len(providers) > 1:
            raise InvalidSetting(
                "FENCEPOST_ADDRESS_CLAIM has a claim without its provider, and there are several: write "
                f"{providers[0]}:{claim}."
            )
        claims |= dict.fromkeys((provider,) if colon else providers, claim)
    for provider, claim in claims.items():
        if claim != EMAIL and provider not in trusted:
            raise InvalidSetting(
                f"FENCEPOST_ADDRESS_CLAIM takes {claim} for an address, which no provider verifies: name {provider} in "
                "FENCEPOST_TRUST_EMAIL too, if nobody but you can set it (see docs/sign-in.md)."
            )
    return claims
