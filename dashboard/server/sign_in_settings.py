"""Sign-in as Streamlit is configured for it: the `[auth]` section of `.streamlit/secrets.toml`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError
from streamlit.runtime.secrets import secrets_singleton

from core.errors import InvalidSetting

# The name that Streamlit gives to a single provider, whose settings stand in `[auth]` itself.
ONLY = "default"

CALLBACK = "/oauth2callback"
SHORTEST_SECRET = 32
NEEDED = ("client_id", "client_secret", "server_metadata_url")
WHERE = "in [auth] of .streamlit/secrets.toml"


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenID provider: its name here, ours there, and the address at which it says where its parts are."""

    name: str
    client_id: str
    metadata_url: str


@dataclass(frozen=True, slots=True)
class SignIn:
    """What `[auth]` says: the providers, the host that people use, and the secrets that sign for them, newest first."""

    providers: tuple[Provider, ...]
    host: str
    secrets: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(provider.name for provider in self.providers)


def read_sign_in() -> SignIn | None:
    """Return how people sign in, or None where there is no `[auth]`.

    Raises `InvalidSetting` where it is incomplete; no value is repeated.
    """
    try:
        section: Mapping[str, Any] | None = st.secrets.get("auth")
    except StreamlitSecretNotFoundError:
        return None
    if not section:
        return None
    given = section.get("cookie_secret")
    secrets = [given] if isinstance(given, str) else given
    if not isinstance(secrets, list) or not secrets or not all(map(_is_long, secrets)):
        raise InvalidSetting(
            f"cookie_secret {WHERE} needs {SHORTEST_SECRET} or more random characters, or a list of such texts, the "
            "newest first: make some with `openssl rand -hex 32`."
        )
    redirect = section.get("redirect_uri")
    host = urlsplit(redirect).hostname if isinstance(redirect, str) and redirect.endswith(CALLBACK) else None
    if host is None:
        raise InvalidSetting(f"redirect_uri {WHERE} is not the address of this server with {CALLBACK}: correct it.")
    sections = {name: value for name, value in section.items() if isinstance(value, Mapping) and _is_provider(value)}
    if not sections or "client_id" in section:
        sections = {ONLY: section, **sections}
    for name, provider in sections.items():
        for needed in NEEDED:
            if not provider.get(needed):
                of = "" if name == ONLY else f" of {name}"
                raise InvalidSetting(f"{needed}{of} is missing {WHERE}: see .streamlit/secrets.toml.example.")
    providers = [
        Provider(name, str(provider["client_id"]), str(provider["server_metadata_url"]))
        for name, provider in sections.items()
    ]
    return SignIn(tuple(providers), host, tuple(secrets))


def give_streamlit(secret: str) -> None:
    """Let Streamlit sign with a secret of its own what it keeps in a browser on the way to the provider and back."""
    section = secrets_singleton["auth"].to_dict()
    secrets_singleton.merge_programmatic_secrets({"auth": section | {"cookie_secret": secret}})


def _is_long(secret: object) -> bool:
    return isinstance(secret, str) and len(secret) >= SHORTEST_SECRET


def _is_provider(section: Mapping[str, Any]) -> bool:
    return any(name in section for name in NEEDED)
