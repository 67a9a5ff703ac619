"""Keys for one purpose each, derived from one secret: what one is used for tells nothing of the others."""

import hmac


def derive_key(secret: str, purpose: str) -> bytes:
    """Return 32 bytes by HKDF with SHA-256, without salt (RFC 5869)."""
    extracted = hmac.digest(bytes(32), secret.encode(), "sha256")
    return hmac.digest(extracted, purpose.encode() + b"\x01", "sha256")
