"""The ids of sessions: random, signed so that one of somebody else's making costs no query, and stored as a hash."""

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Sequence

# Our own cookie, which no script reads. It holds an id and nothing else: the server knows the rest.
SESSION_COOKIE = "fencepost_session"

# 32 random bytes and their HMAC-SHA-256, each in base64url without padding.
_FORM = re.compile(r"([0-9A-Za-z_-]{43})\.([0-9A-Za-z_-]{43})", re.ASCII)


class SessionIds:
    """Makes and reads ids. Signed with the first of the keys; those that follow were in force before."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = tuple(keys)

    def make(self) -> str:
        """Return a new id, as the browser keeps it."""
        name = secrets.token_urlsafe(32)
        return f"{name}.{_sign(self._keys[0], name)}"

    def read(self, text: str) -> str | None:
        """Return the session that an id stands for, as the tables and tickets name it, or None where it is not ours."""
        match = _FORM.fullmatch(text)
        if match is None:
            return None
        name, signature = match.groups()
        if not any(hmac.compare_digest(_sign(key, name), signature) for key in self._keys):
            return None
        return hashlib.sha256(name.encode()).hexdigest()


def _sign(key: bytes, name: str) -> str:
    signature = hmac.digest(key, b"fencepost session " + name.encode(), "sha256")
    return urlsafe_b64encode(signature).rstrip(b"=").decode()
