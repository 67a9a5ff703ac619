"""Keys for one purpose each."""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.auth.derived_keys import derive_key


def test_it_is_hkdf() -> None:
    """The keys are those of RFC 5869 as another implementation makes them, and each purpose has its own."""
    for secret in ("x", "a secret " * 9):
        for purpose in ("tickets", "sessions"):
            assert derive_key(secret, purpose) == HKDF(SHA256(), 32, None, purpose.encode()).derive(secret.encode())
    assert derive_key("x", "tickets") != derive_key("x", "sessions")
