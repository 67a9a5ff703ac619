"""Lists of people: addresses and domains that may come in, as the settings write them."""

from dataclasses import dataclass

from core.actor import STAFF_SCOPES, Scope
from core.errors import InvalidSetting
from core.settings import Settings

# Only the letters of ASCII: others fold to them (the Kelvin sign to k), and would let a stranger's address match.
LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


@dataclass(frozen=True, slots=True)
class Entry:
    """Who is meant: an address or a whole domain (`@` in front), at one provider or, where there is one, at that."""

    provider: str | None
    address: str

    def means(self, provider: str, address: str) -> bool:
        if self.provider not in (None, provider):
            return False
        local, at, domain = address.rpartition("@")
        if not at or not local or "@" in local or not domain:
            return False
        return self.address in (f"{local}@{domain}", f"@{domain}")


def parse_lists(
    settings: Settings, providers: tuple[str, ...]
) -> tuple[dict[frozenset[Scope], tuple[Entry, ...]], frozenset[str]]:
    """Return what the settings' lists give, with those to whom, and the providers whose addresses are believed."""
    lists = {
        STAFF_SCOPES: _parse_list("FENCEPOST_STAFF", settings.fencepost_staff, providers),
        frozenset({Scope.ADMIN_CONFIG}): _parse_list("FENCEPOST_ADMINS", settings.fencepost_admins, providers),
    }
    return lists, _parse_providers(settings.fencepost_trust_email, providers)


def _parse_list(setting: str, value: str, providers: tuple[str, ...]) -> tuple[Entry, ...]:
    entries = []
    for item in filter(None, (item.strip(" \t\r\n") for item in value.split(","))):
        entry = split_entry(item)
        if entry is None:
            raise InvalidSetting(
                f"{setting} has an entry that is neither an address nor @domain: write it as name@example.org or "
                "@example.org."
            )
        if entry.provider is not None and providers and entry.provider not in providers:
            raise InvalidSetting(
                f"{setting} names a provider that [auth] does not have: it has {', '.join(providers)}."
            )
        if entry.provider is None and len(providers) > 1:
            raise InvalidSetting(
                f"{setting} has an entry without its provider, and there are several: write {providers[0]}:address."
            )
        entries.append(entry)
    return tuple(entries)


def split_entry(text: str) -> Entry | None:
    """Read an address or `@domain`, perhaps with its provider in front; None where it is neither."""
    provider, colon, address = text.strip(" \t\r\n").rpartition(":")
    address = address.strip(" \t").translate(LOWER)
    local, at, domain = address.rpartition("@")
    if not at or not domain or "@" in local or any(character.isspace() for character in address):
        return None
    return Entry(provider if colon else None, address)


def _parse_providers(value: str, providers: tuple[str, ...]) -> frozenset[str]:
    named = frozenset(filter(None, map(str.strip, value.split(","))))
    if providers and not named <= frozenset(providers):
        raise InvalidSetting(
            f"FENCEPOST_TRUST_EMAIL names a provider that [auth] does not have: it has {', '.join(providers)}."
        )
    return named
