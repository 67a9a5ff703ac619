"""API keys: `fp_<key id, 12>_<secret, 43>_<CRC32, 6>`, base62; what is stored is the SHA-256 of the secret."""

import hashlib
import hmac
import re
import secrets
import string
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, case, exists, func, insert, or_, select, update

from core.actor import KEY_SCOPES, Actor, Forbidden, Scope
from core.audit.events import Event, append
from core.auth.networks import is_within, parse_networks
from core.characters import check_shown
from core.db.database import Database
from core.db.databases import Databases
from core.db.schema import api_keys, people
from core.errors import InvalidParameter, NotPossible
from core.jobs.wall import Wall
from core.program import COMMAND

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
KEY_ID_LENGTH = 12
# 43 characters of base62 hold 256 bits.
SECRET_LENGTH = 43
CHECKSUM_LENGTH = 6

_FORM = re.compile(
    rf"(fp_([0-9A-Za-z]{{{KEY_ID_LENGTH}}})_([0-9A-Za-z]{{{SECRET_LENGTH}}}))_([0-9A-Za-z]{{{CHECKSUM_LENGTH}}})",
    re.ASCII,
)

# The last day of a life may be chosen as a day.
_GRACE = timedelta(days=1)

# Longer, and two keys would be in use for good.
LONGEST_OVERLAP = timedelta(days=30)

_UNKNOWN_KEY = f"There is no key with this id: see `{COMMAND} keys list`."

_successors = api_keys.alias("successors")
_is_valid = api_keys.c.revoked_at.is_(None) & or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > func.now())
_is_replaced = exists().where(_successors.c.replaces == api_keys.c.key_id)


class KeyState(StrEnum):
    """What a key is good for. `rotating`: it still opens, and another one has taken its place."""

    VALID = "valid"
    ROTATING = "rotating"
    EXPIRED = "expired"
    REVOKED = "revoked"

    @property
    def opens(self) -> bool:
        return self in (KeyState.VALID, KeyState.ROTATING)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that was found valid: whose jobs it sees, and what it may do."""

    key_id: str
    wall: Wall
    scopes: frozenset[Scope]
    # Empty: from anywhere.
    networks: tuple[str, ...] = ()

    def opens_from(self, address: str | None) -> bool:
        """Tell whether a request from this network address may use it."""
        return not self.networks or is_within(self.networks, address)


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
    networks: Iterable[str] = (),
    longest: timedelta | None = None,
    hand_over: Callable[[str], None] | None = None,
) -> str:
    """Store a new key and return it. It is never shown again: only the hash of its secret is stored.

    It opens from `networks` alone, where there are any. `longest`: how long it may live; None: for good. `hand_over`
    gives it away before it is valid: where that fails, there is no key. Raises `Forbidden` where the key would do what
    `by` may not do, and `InvalidParameter` where it makes no sense.
    """
    _check_admin(by)
    _check_grant(by, wall, scopes)
    if not name.strip():
        raise InvalidParameter("name is empty: say what the key is for.")
    client = wall.only
    if client is None and not wall.sees_all:
        raise InvalidParameter("client names several: a key sees the jobs of one client, or of all.")
    if client is not None and not client.strip():
        raise InvalidParameter("client is empty: name the client whose jobs the key sees.")
    for field, value in {"name": name, "client": client or ""}.items():
        check_shown(field, value)
    bound = parse_networks(networks)
    with databases.ours.transaction() as connection:
        now = connection.execute(select(func.now())).scalar_one()
        if expires_at is not None and expires_at <= now:
            raise InvalidParameter("expires is in the past: choose a time to come.")
        if longest is not None and (expires_at is None or expires_at > now + longest + _GRACE):
            raise InvalidParameter(f"expires is at most {longest.days} days from now here: choose a time within them.")
        key_id, key = _insert_key(
            connection,
            by,
            name=name,
            client_id=client,
            scopes=sorted(scopes),
            expires_at=expires_at,
            networks=bound or None,
        )
        if hand_over is not None:
            # Before the audit is written to: nobody else waits while a terminal stands still.
            hand_over(key)
        details: dict[str, Any] = {"name": name, "client_id": client, "scopes": sorted(scopes)}
        if bound:
            details["networks"] = bound
        append(connection, databases.audit_key, Event.KEY_CREATED, by, subject=key_id, details=details)
    return key


def rotate_key(
    databases: Databases,
    by: Actor,
    key_id: str,
    *,
    overlap: timedelta,
    longest: timedelta | None = None,
    hand_over: Callable[[str], None] | None = None,
) -> str:
    """Put a new key in the place of a valid one and return it; the old one ends after `overlap`, if not before.

    Name, client, scopes, networks and the length of life, `longest` at most, are those of the old one. Where
    `hand_over`, as for `create_key`, fails, the old one stays as it was. Raises `NotPossible` where there is no such
    key, or it has ended or been replaced; `Forbidden` where the new key would do what `by` may not do.
    """
    _check_admin(by)
    if not timedelta() <= overlap <= LONGEST_OVERLAP:
        raise InvalidParameter(f"overlap is between 0 and {LONGEST_OVERLAP.days} days: choose another.")
    with databases.ours.transaction() as connection:
        # Locked, so that of two rotations at once the second finds the key replaced.
        connection.execute(select(api_keys.c.key_id).where(api_keys.c.key_id == key_id).with_for_update())
        old = connection.execute(
            select(api_keys, _is_valid.label("valid"), _is_replaced.label("replaced"), func.now().label("now")).where(
                api_keys.c.key_id == key_id
            )
        ).one_or_none()
        if old is None:
            raise NotPossible(_UNKNOWN_KEY)
        if not old.valid:
            raise NotPossible("This key has expired or is revoked: create a new one.")
        if old.replaced:
            raise NotPossible("Another key has replaced this one already: rotate that one, or create a new one.")
        _check_grant(by, Wall(old.client_id), old.scopes)
        own = None if old.expires_at is None else old.expires_at - old.created_at
        lives = [life for life in (own, longest) if life is not None]
        new_id, key = _insert_key(
            connection,
            by,
            name=old.name,
            client_id=old.client_id,
            scopes=old.scopes,
            expires_at=None if not lives else old.now + min(lives),
            networks=old.networks,
            replaces=key_id,
        )
        if hand_over is not None:
            hand_over(key)
        ends = old.now + overlap if old.expires_at is None else min(old.now + overlap, old.expires_at)
        connection.execute(update(api_keys).where(api_keys.c.key_id == key_id).values(expires_at=ends))
        details = {"replaced_by": new_id, "overlap_seconds": int((ends - old.now).total_seconds())}
        append(connection, databases.audit_key, Event.KEY_ROTATED, by, subject=key_id, details=details)
    return key


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
    columns = (api_keys.c.client_id, api_keys.c.scopes, api_keys.c.networks, api_keys.c.secret_sha256)
    query = select(*columns, _is_valid.label("valid")).where(api_keys.c.key_id == presented.key_id)
    with database.transaction() as connection:
        row = connection.execute(query).one_or_none()
    stored = bytes(32) if row is None else bytes(row.secret_sha256)
    matches = hmac.compare_digest(stored, presented.secret_sha256)
    if row is None or not matches or not row.valid:
        return None
    scopes = frozenset(Scope(scope) for scope in row.scopes if scope in set(Scope))
    return ApiKey(presented.key_id, Wall(row.client_id), scopes, tuple(row.networks or ()))


def is_key_valid(database: Database, key_id: str) -> bool:
    """Tell whether a key still opens: it is neither expired nor revoked."""
    with database.transaction() as connection:
        return connection.execute(select(_is_valid).where(api_keys.c.key_id == key_id)).scalar() is True


def is_key_of(database: Database, key_id: str, client_id: str) -> bool:
    """Tell whether a key, whatever has become of it, is one of a client's."""
    with database.transaction() as connection:
        return (
            connection.execute(select(api_keys.c.client_id == client_id).where(api_keys.c.key_id == key_id)).scalar()
            is True
        )


def list_keys(database: Database) -> list[Row[Any]]:
    """Return all keys without their hashes, oldest first, each with its `state` and its maker's `address`."""
    columns = [column for column in api_keys.c if column is not api_keys.c.secret_sha256]
    state = case(
        (api_keys.c.revoked_at.is_not(None), KeyState.REVOKED.value),
        (~_is_valid, KeyState.EXPIRED.value),
        (_is_replaced, KeyState.ROTATING.value),
        else_=KeyState.VALID.value,
    )
    made_by = api_keys.outerjoin(people, people.c.person == api_keys.c.created_by)
    query = select(*columns, state.label("state"), people.c.address).select_from(made_by)
    with database.transaction() as connection:
        return list(connection.execute(query.order_by(api_keys.c.created_at, api_keys.c.key_id)))


def revoke_key(databases: Databases, by: Actor, key_id: str) -> None:
    """Revoke a key for good. Raises `NotPossible` where there is no such key; a revoked one stays revoked."""
    _check_admin(by)
    with databases.ours.transaction() as connection:
        done = connection.execute(
            update(api_keys)
            .where(api_keys.c.key_id == key_id, api_keys.c.revoked_at.is_(None))
            .values(revoked_at=func.now())
        )
        if done.rowcount:
            append(connection, databases.audit_key, Event.KEY_REVOKED, by, subject=key_id)
        elif connection.execute(select(api_keys.c.key_id).where(api_keys.c.key_id == key_id)).first() is None:
            raise NotPossible(_UNKNOWN_KEY)


def _check_admin(by: Actor) -> None:
    if Scope.ADMIN_CONFIG not in by.scopes:
        raise Forbidden(f"Keys are made and ended with the scope {Scope.ADMIN_CONFIG.value}: ask for it.")


def _check_grant(by: Actor, wall: Wall, scopes: Iterable[str]) -> None:
    """Nobody gives away by a key what is not theirs."""
    for_people = sorted(set(scopes) - set(KEY_SCOPES))
    if for_people:
        raise InvalidParameter(f"scope {for_people[0]} is for people: a key can have {', '.join(KEY_SCOPES)}.")
    # Whoever makes keys may have everybody's verdicts anyway.
    missing = sorted(set(scopes) - by.scopes - {Scope.REVIEW_READ})
    if Scope.JOB_READ in scopes and Scope.JOB_EXPORT not in by.scopes:
        missing.append(Scope.JOB_READ)
    if missing:
        raise Forbidden(f"You cannot give a key the scope {missing[0]}, which you do not have: leave it out.")
    if Scope.JOB_READ in scopes and by.wall.withheld:
        raise Forbidden("A key exports texts that you may not see yourself: ask another admin to make it.")
    if not by.wall.sees_all and (wall.only is None or not by.wall.allows(wall.only)):
        raise Forbidden("You cannot make a key for another client: name your own.")


def _insert_key(connection: Connection, by: Actor, **values: Any) -> tuple[str, str]:
    """Insert the row of a new key; return its id and the key itself."""
    key_id, secret = _random(KEY_ID_LENGTH), _random(SECRET_LENGTH)
    connection.execute(
        insert(api_keys).values(key_id=key_id, secret_sha256=_hash(secret), created_by=by.name, **values)
    )
    body = f"fp_{key_id}_{secret}"
    return key_id, f"{body}_{_checksum(body)}"


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
