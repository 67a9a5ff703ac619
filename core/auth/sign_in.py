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
from core.auth.address_claim import EMAIL, parse_claims
from core.auth.allow_list import LOWER, parse_lists
from core.characters import is_storable
from core.db.databases import Databases
from core.db.schema import people, sessions
from core.jobs.wall import Wall
from core.settings import Settings

# A provider's clock may be so far behind ours.
CLOCK_SKEW = timedelta(minutes=2)

_ENDED = "Your session has ended: sign in again."


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
        self._claims = parse_claims(settings, providers, self._trusted)
        self._hours = timedelta(hours=settings.fencepost_session_hours)

    @staticmethod
    def check(settings: Settings, providers: tuple[str, ...]) -> None:
        """Raise `InvalidSetting` as the making of a door does, before there are databases."""
        _, trusted = parse_lists(settings, providers)
        parse_claims(settings, providers, trusted)

    def enter(self, claims: Mapping[str, Any], remote_address: str | None = None) -> Visit:
        """Recognise the person of a session by the claims of its ID token; remember the session.

        The first time, and whenever the answer changes, the audit gets a row.
        """
        identity = _identify(claims, self._claim_of(claims))
        if identity is None:
            return Visit(None, str(claims.get("email") or ""), self._explain_claims(claims))
        with self._databases.ours.transaction() as connection:
            row = _find_session(connection, identity.session)
            if row is not None and self._has_ended(row):
                return Visit(None, identity.address, _ENDED, ended=True)
            if row is None:
                stale = self._explain_age(connection, identity)
                if stale is not None:
                    return Visit(None, identity.address, stale, ended=True)
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
            return (
                "Your provider does not say that this address is verified, so it is not believed: ask whoever runs "
                "Fencepost to look into FENCEPOST_TRUST_EMAIL."
            )
        return (
            "This address may not come in here: ask whoever runs Fencepost to add it, or sign out and come back with "
            "another account."
        )

    def _explain_claims(self, claims: Mapping[str, Any]) -> str:
        name = self._claim_of(claims)
        if not _is_text(claims.get(name)):
            return (
                f"Your provider does not say {name}, by which people are known here: ask whoever runs Fencepost to "
                "switch that claim on there, or to name another one in FENCEPOST_ADDRESS_CLAIM."
            )
        return "The sign-in says too little: it needs iss, sub, and auth_time or iat. Tell whoever runs Fencepost."

    def _claim_of(self, claims: Mapping[str, Any]) -> str:
        return self._claims.get(str(claims.get("provider")), EMAIL)

    def _has_ended(self, row: Row[Any]) -> bool:
        signed_out = row.signed_out_at is not None and row.first_seen_at <= row.signed_out_at
        return signed_out or self._is_over(row.authenticated_at, row.now)

    def _explain_age(self, connection: Connection, identity: _Identity) -> str | None:
        """Say why a session that was never seen is over already, or return None."""
        now, signed_out_at = connection.execute(
            select(
                func.clock_timestamp(),
                select(people.c.signed_out_at).where(people.c.person == identity.person).scalar_subquery(),
            )
        ).one()
        if signed_out_at is not None and identity.issued_at < signed_out_at - CLOCK_SKEW:
            return _ENDED
        if identity.authenticated_at > now + CLOCK_SKEW:
            return "The clocks of this server and of your provider differ: tell whoever runs Fencepost to set them."
        if self._is_over(identity.authenticated_at, now):
            # As `dashboard.server.sign_in_steps` asks for it; some providers do not know the question.
            return (
                f"Your provider let you in without asking again, and you signed in there more than "
                f"{self._hours / timedelta(hours=1):g} hours ago, which is too long here: sign in again. If this comes "
                "back, sign out at your provider first, or tell whoever runs Fencepost."
            )
        return None

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


def _identify(claims: Mapping[str, Any], address_claim: str) -> _Identity | None:
    issuer, subject, address = (claims.get(name) for name in ("iss", "sub", address_claim))
    provider, verified = claims.get("provider"), claims.get("email_verified")
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
        # A boolean (OpenID Connect Core, section 5.1), which some providers send as text. It is said of `email` alone.
        is_verified=address_claim == EMAIL and (verified is True or verified == "true"),
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
