"""API keys: `fp_<key id, 12>_<secret, 43>_<CRC32, 6>`, base62; what is stored is the SHA-256 of the secret."""

import hashlib
import hmac
import re
import secrets
import string
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, insert, or_, select, update

from core.access import Actor, Scope
from core.audit import Event, append
from core.database import Database, Databases
from core.errors import InvalidParameter, NotPossible
from core.query import Wall
from core.schema import api_keys

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
KEY_ID_LENGTH = 12
# 43 characters of base62 hold 256 bits.
SECRET_LENGTH = 43
CHECKSUM_LENGTH = 6

_FORM = re.compile(
    rf"(fp_([0-9A-Za-z]{{{KEY_ID_LENGTH}}})_([0-9A-Za-z]{{{SECRET_LENGTH}}}))_([0-9A-Za-z]{{{CHECKSUM_LENGTH}}})",
    re.ASCII,
)

# Control characters would break the list of keys; halves of surrogates (bytes that were no UTF-8) cannot be stored.
_UNSHOWN = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that was found valid: whose jobs it sees, and what it may do."""

    key_id: str
    wall: Wall
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True)
class PresentedKey:
    """A key as somebody presents it, well-formed and with a right checksum: worth a query."""

    key_id: str
    secret_sha256: bytes


def create_key(
    databases: Databases,
    by: Actor,
    *,
    name: str,
    wall: Wall,
    scopes: frozenset[Scope],
    expires_at: datetime | None,
) -> str:
    """Store a new key and return it. It is never to be had again: only the hash of its secret is stored."""
    if not name.strip():
        raise InvalidParameter("name is empty: say what the key is for.")
    if wall.client_id is not None and not wall.client_id.strip():
        raise InvalidParameter("client is empty: name the client whose jobs the key sees.")
    for field, value in {"name": name, "client": wall.client_id or ""}.items():
        if _UNSHOWN.search(value):
            raise InvalidParameter(f"{field} contains a character that cannot be shown: remove it.")
    key_id, secret = _random(KEY_ID_LENGTH), _random(SECRET_LENGTH)
    with databases.ours.transaction() as connection:
        if expires_at is not None and expires_at <= connection.execute(select(func.now())).scalar_one():
            raise InvalidParameter("expires is in the past: choose a time to come.")
        connection.execute(
            insert(api_keys).values(
                key_id=key_id,
                name=name,
                client_id=wall.client_id,
                scopes=sorted(scopes),
                secret_sha256=_hash(secret),
                expires_at=expires_at,
                created_by=by.name,
            )
        )
        details = {"name": name, "client_id": wall.client_id, "scopes": sorted(scopes)}
        append(connection, databases.audit_key, Event.KEY_CREATED, by, subject=key_id, details=details)
    body = f"fp_{key_id}_{secret}"
    return f"{body}_{_checksum(body)}"


def parse_key(text: str) -> PresentedKey | None:
    """Return what a key says of itself, or None where it is malformed or its checksum is wrong."""
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    body, key_id, secret, checksum = match.groups()
    if not hmac.compare_digest(_checksum(body), checksum):
        return None
    return PresentedKey(key_id, _hash(secret))


def find_key(database: Database, presented: PresentedKey) -> ApiKey | None:
    """Return the key if it is known, its secret right, and it is neither expired nor revoked.

    Every refusal takes the same path: one query, and one comparison in constant time.
    """
    valid = api_keys.c.revoked_at.is_(None) & or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > func.now())
    query = select(api_keys.c.client_id, api_keys.c.scopes, api_keys.c.secret_sha256, valid.label("valid")).where(
        api_keys.c.key_id == presented.key_id
    )
    with database.transaction() as connection:
        row = connection.execute(query).one_or_none()
    stored = bytes(32) if row is None else bytes(row.secret_sha256)
    matches = hmac.compare_digest(stored, presented.secret_sha256)
    if row is None or not matches or not row.valid:
        return None
    scopes = frozenset(Scope(scope) for scope in row.scopes if scope in set(Scope))
    return ApiKey(presented.key_id, Wall(row.client_id), scopes)


def list_keys(database: Database) -> list[Row[Any]]:
    """Return all keys without their hashes, oldest first."""
    columns = [column for column in api_keys.c if column is not api_keys.c.secret_sha256]
    with database.transaction() as connection:
        return list(connection.execute(select(*columns).order_by(api_keys.c.created_at, api_keys.c.key_id)))


def revoke_key(databases: Databases, by: Actor, key_id: str) -> None:
    """Revoke a key for good. Raises `NotPossible` where there is no such key; a revoked one stays revoked."""
    with databases.ours.transaction() as connection:
        done = connection.execute(
            update(api_keys)
            .where(api_keys.c.key_id == key_id)
            .values(revoked_at=func.coalesce(api_keys.c.revoked_at, func.now()))
        )
        if done.rowcount == 0:
            raise NotPossible("There is no key with this id: see `python -m core keys list`.")
        append(connection, databases.audit_key, Event.KEY_REVOKED, by, subject=key_id)


def _random(length: int) -> str:
    return "".join(secrets.choice(BASE62) for _ in range(length))


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _checksum(body: str) -> str:
    """CRC32 of everything before it, in base62: tells a mistyped key without asking the database."""
    number = zlib.crc32(body.encode())
    digits = ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, 62)
        digits = BASE62[digit] + digits
    return digits
