"""People: who may come in, by what an OpenID provider says of them, and for how long.

A session is one sign-in: the claims of its ID token (OpenID Connect Core, section 2), known by their hash. It is looked
up again at every use, so that a lost scope, a sign-out and the end of its hours count at once.
"""

import hashlib
import json
import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select, update
from sqlalchemy.dialects.postgresql import insert

from core.actor import Actor, Scope
from core.audit.events import Event, append
from core.auth.allow_list import LOWER, parse_lists
from core.characters import is_storable
from core.db.databases import Databases
from core.db.schema import people, sessions
from core.jobs.wall import Wall
from core.settings import Settings

# A provider's clock may be so far behind ours.
CLOCK_SKEW = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Visit:
    """What became of somebody who came with a session: an actor, or a sentence that says why there is none.

    `address` is what the provider says, not to be trusted as Markdown. `ended`: signing in again helps.
    """

    actor: Actor | None
    address: str
    refusal: str | None = None
    ended: bool = False


@dataclass(frozen=True, slots=True)
class _Identity:
    """What the claims of a session say."""

    session: str
    person: str
    address: str
    provider: str
    is_verified: bool
    authenticated_at: datetime
    issued_at: datetime


class Door:
    """Decides who comes in. `providers` are the names of the OpenID providers that are configured."""

    def __init__(self, databases: Databases, settings: Settings, providers: tuple[str, ...]) -> None:
        """Raises `InvalidSetting` where a list of people has an entry that could mean nobody, or too many."""
        self._databases = databases
        self._lists, self._trusted = parse_lists(settings, providers)
        self._hours = timedelta(hours=settings.fencepost_session_hours)

    @staticmethod
    def check(settings: Settings, providers: tuple[str, ...]) -> None:
        """Raise `InvalidSetting` as the making of a door does, before there are databases."""
        parse_lists(settings, providers)

    def enter(self, claims: Mapping[str, Any], remote_address: str | None = None) -> Visit:
        """Recognise the person of a session by the claims of its ID token; remember the session.

        The first time, and whenever the answer changes, the audit gets a row.
        """
        identity = _identify(claims)
        if identity is None:
            sentence = "The sign-in says too little: it needs iss, sub, email, and auth_time or iat."
            return Visit(None, str(claims.get("email") or ""), sentence)
        with self._databases.ours.transaction() as connection:
            row = _find_session(connection, identity.session)
            if row is not None and self._has_ended(row):
                return Visit(None, identity.address, "Your session has ended: sign in again.", ended=True)
            if row is None and self._is_too_old(connection, identity):
                return Visit(None, identity.address, "Your session has ended: sign in again.", ended=True)
            scopes = self._scopes(identity.provider, identity.address, identity.is_verified)
            actor = Actor(
                identity.person, Wall(None), scopes, identity.address, remote_address, session=identity.session
            )
            if row is None or row.is_allowed != bool(scopes):
                self._remember(connection, identity, actor)
        if scopes:
            return Visit(actor, identity.address)
        return Visit(None, identity.address, self._explain(identity))

    def recognise(self, session: str) -> Actor | None:
        """Return the actor of a session with the scopes held now, or None where it has ended or nothing is held."""
        with self._databases.ours.transaction() as connection:
            row = _find_session(connection, session)
        if row is None or self._has_ended(row):
            return None
        scopes = self._scopes(row.provider, row.address, row.is_verified)
        return Actor(row.person, Wall(None), scopes, row.address, session=session) if scopes else None

    def sign_out(self, actor: Actor) -> None:
        """End all sessions of a person, and with them the tickets that were made for them."""
        with self._databases.ours.transaction() as connection:
            connection.execute(
                update(people).where(people.c.person == actor.name).values(signed_out_at=func.clock_timestamp())
            )
            append(connection, self._databases.audit_key, Event.SIGNED_OUT, actor)

    def _scopes(self, provider: str, address: str, is_verified: bool) -> frozenset[Scope]:
        if not is_verified and provider not in self._trusted:
            return frozenset()
        return frozenset(
            scope for scope, entries in self._lists.items() if any(entry.means(provider, address) for entry in entries)
        )

    def _explain(self, identity: _Identity) -> str:
        if not identity.is_verified and identity.provider not in self._trusted:
            return "Your provider does not say that this address is verified, so it is not believed."
        return "This address may not come in here: ask whoever runs Fencepost to add it."

    def _has_ended(self, row: Row[Any]) -> bool:
        signed_out = row.signed_out_at is not None and row.first_seen_at <= row.signed_out_at
        return signed_out or self._is_over(row.authenticated_at, row.now)

    def _is_too_old(self, connection: Connection, identity: _Identity) -> bool:
        """Tell whether a session that was never seen is from before a sign-out, or over."""
        now, signed_out_at = connection.execute(
            select(
                func.clock_timestamp(),
                select(people.c.signed_out_at).where(people.c.person == identity.person).scalar_subquery(),
            )
        ).one()
        from_before = signed_out_at is not None and identity.issued_at < signed_out_at - CLOCK_SKEW
        return from_before or self._is_over(identity.authenticated_at, now)

    def _is_over(self, authenticated_at: datetime, now: datetime) -> bool:
        return not now - self._hours < authenticated_at <= now + CLOCK_SKEW

    def _remember(self, connection: Connection, identity: _Identity, actor: Actor) -> None:
        is_allowed = bool(actor.scopes)
        person = insert(people).values(person=identity.person, address=identity.address)
        connection.execute(
            person.on_conflict_do_update(
                index_elements=["person"], set_={"address": identity.address, "signed_in_at": func.clock_timestamp()}
            )
        )
        session = insert(sessions).values(
            session=identity.session,
            person=identity.person,
            address=identity.address,
            provider=identity.provider,
            is_verified=identity.is_verified,
            authenticated_at=identity.authenticated_at,
            is_allowed=is_allowed,
        )
        # Several tabs may be the first; one of them tells the audit.
        changed = connection.execute(
            session.on_conflict_do_update(
                index_elements=["session"],
                set_={"is_allowed": is_allowed},
                where=sessions.c.is_allowed != is_allowed,
            )
        )
        if changed.rowcount:
            event = Event.SIGNED_IN if is_allowed else Event.REFUSED
            append(connection, self._databases.audit_key, event, actor, details={"provider": identity.provider})


def _identify(claims: Mapping[str, Any]) -> _Identity | None:
    issuer, subject, address = (claims.get(name) for name in ("iss", "sub", "email"))
    provider = claims.get("provider")
    times = [_instant(claims.get(name)) for name in ("auth_time", "iat")]
    authenticated_at = times[0] or times[1]
    if authenticated_at is None or not all(map(_is_text, (issuer, subject, address, provider))):
        return None
    canonical = json.dumps(dict(claims), sort_keys=True, default=str).encode()
    return _Identity(
        session=hashlib.sha256(canonical).hexdigest(),
        person=f"user:{issuer}|{subject}",
        address=str(address).strip(string.whitespace).translate(LOWER),
        provider=str(provider),
        # A boolean (OpenID Connect Core, section 5.1); some providers send it as text.
        is_verified=claims.get("email_verified") is True or claims.get("email_verified") == "true",
        authenticated_at=authenticated_at,
        issued_at=times[1] or authenticated_at,
    )


def _is_text(value: object) -> bool:
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


def _find_session(connection: Connection, session: str) -> Row[Any] | None:
    """Find a session, with the time of its person's last sign-out."""
    query = (
        select(sessions, people.c.signed_out_at, func.clock_timestamp().label("now"))
        .join(people, people.c.person == sessions.c.person)
        .where(sessions.c.session == session)
    )
    return connection.execute(query).one_or_none()
