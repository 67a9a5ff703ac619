"""People: who may come in, by what an OpenID provider says of them, and for how long.

A session is one sign-in, and the server holds it: the browser has an id. It is looked up again at every use, so that a
lost scope, a sign-out and the end of its hours count at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select, update
from sqlalchemy.dialects.postgresql import insert

from core.actor import Actor, Scope
from core.audit.events import Event, append
from core.auth.address_claim import EMAIL, parse_claims
from core.auth.allow_list import parse_lists
from core.auth.claims import Identity, is_text, read_identity
from core.auth.rights import NO_RIGHTS, Rights, decide, read_rights
from core.auth.withheld import parse_withheld, read_withheld_reasons
from core.db.databases import Databases
from core.db.schema import people, sessions
from core.jobs.filter import Category
from core.jobs.wall import Wall
from core.settings import Settings

# A provider's clock may be so far behind ours.
CLOCK_SKEW = timedelta(minutes=2)

# Characters. An ID token is kept to sign out at the provider with, in an address; a longer one is not worth a hint.
LONGEST_TOKEN = 6_000

# Characters that are kept of what a browser calls itself.
LONGEST_BROWSER = 300

# An act in a session is noted so often, or oftener where sessions end without acts after a few minutes.
NOTED = timedelta(minutes=1)

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
class Leaving:
    """What the way out by the provider needs: its name, and the ID token that it gave, where that is still kept."""

    provider: str
    id_token: str | None


class Door:
    """Decides who comes in. `providers` are the names of the OpenID providers that are configured."""

    def __init__(self, databases: Databases, settings: Settings, providers: tuple[str, ...]) -> None:
        """Raises `InvalidSetting` where a list of people has an entry that could mean nobody, or too many."""
        self._databases = databases
        self._lists, self._trusted = parse_lists(settings, providers)
        self._claims = parse_claims(settings, providers, self._trusted)
        self._groups_claim = settings.fencepost_groups_claim.strip()
        self._withheld = parse_withheld(settings)
        self.providers = providers
        self.hours = timedelta(hours=settings.fencepost_session_hours)
        self.idle = _minutes(settings.fencepost_idle_minutes)
        self._step_up = _minutes(settings.fencepost_step_up_minutes)
        self._noted = NOTED if self.idle is None else min(NOTED, self.idle / 10)

    @staticmethod
    def check(settings: Settings, providers: tuple[str, ...]) -> None:
        """Raise `InvalidSetting` as the making of a door does, before there are databases."""
        _, trusted = parse_lists(settings, providers)
        parse_claims(settings, providers, trusted)
        parse_withheld(settings)

    def sign_in(
        self,
        session: str,
        claims: Mapping[str, Any],
        provider: str,
        *,
        id_token: str | None = None,
        remote_address: str | None = None,
        browser: str | None = None,
        instead_of: str | None = None,
    ) -> str | None:
        """Begin a session for whom the claims name, and end the one that the browser had; the audit gets a row.

        Returns a sentence where the claims say too little, and there is no session. Whether the person may come in is
        said by `enter`.
        """
        claim = self._claims.get(provider, EMAIL)
        identity = read_identity(claims, provider, claim, self._groups_claim)
        if identity is None:
            return _explain_claims(claims, claim)
        kept = {
            "id_token": id_token if id_token is not None and len(id_token) <= LONGEST_TOKEN else None,
            "remote_address": remote_address,
            "browser": None if browser is None else browser[:LONGEST_BROWSER],
        }
        with self._databases.ours.transaction() as connection:
            self._forget_tokens(connection)
            if instead_of is not None:
                _end(connection, instead_of)
            held = self._decide(connection, identity)
            actor = Actor(identity.person, Wall(), held.scopes, identity.address, remote_address, session=session)
            _begin(connection, identity, session, is_allowed=bool(held.scopes), **kept)
            event = Event.SIGNED_IN if held.scopes else Event.REFUSED
            append(connection, self._databases.audit_key, event, actor, details={"provider": provider})
        return None

    def enter(self, session: str, remote_address: str | None = None, *, acts: bool = True) -> Visit:
        """Return what becomes of somebody who comes with a session. The audit hears of it when the answer changes.

        `acts`: the person did something; a page that looks by itself whether they may still be there did not.
        """
        with self._databases.ours.transaction() as connection:
            row = _find_session(connection, session)
            if row is None or self._has_ended(row):
                return Visit(None, "" if row is None else row.address, self._explain_end(row), ended=True)
            actor = self._make_actor(connection, row, remote_address)
            if row.is_allowed != bool(actor.scopes):
                self._tell(connection, actor, row.provider)
            if acts:
                self._note_act(connection, row)
        return Visit(actor, row.address) if actor.scopes else Visit(None, row.address, self._explain(row))

    def recognise(self, session: str, *, acts: bool = False) -> Actor | None:
        """Return the actor of a session with the scopes held now, or None where it has ended or nothing is held.

        `acts`: something is being done for the person, as a download is.
        """
        with self._databases.ours.transaction() as connection:
            row = _find_session(connection, session)
            if row is None or self._has_ended(row):
                return None
            actor = self._make_actor(connection, row, None)
            if acts:
                self._note_act(connection, row)
        return actor if actor.scopes else None

    def stays_admin(self, connection: Connection, by: Actor) -> bool:
        """Tell whether somebody is an admin by what a connection sees, or has no session that could say so."""
        row = None if by.session is None else _find_session(connection, by.session)
        return row is None or Scope.ADMIN_CONFIG in self._decide(connection, row).scopes

    def sign_out(self, actor: Actor) -> None:
        """End all sessions of a person, and with them the tickets that were made for them."""
        with self._databases.ours.transaction() as connection:
            connection.execute(
                update(people).where(people.c.person == actor.name).values(signed_out_at=func.clock_timestamp())
            )
            append(connection, self._databases.audit_key, Event.SIGNED_OUT, actor)

    def leave(self, session: str) -> Leaving | None:
        """End the session of whoever goes, all of the person's where that was not done before; forget its token.

        Returns None where there never was such a session.
        """
        actor = self.recognise(session)
        if actor is not None:
            self.sign_out(actor)
        with self._databases.ours.transaction() as connection:
            row = connection.execute(
                select(sessions.c.provider, sessions.c.id_token).where(sessions.c.session == session).with_for_update()
            ).one_or_none()
            _end(connection, session)
        return None if row is None else Leaving(row.provider, row.id_token)

    def _make_actor(self, connection: Connection, row: Row[Any], remote_address: str | None) -> Actor:
        held = self._decide(connection, row)
        is_fresh = self._step_up is None or (row.is_time_said and row.authenticated_at > row.now - self._step_up)
        return Actor(
            row.person,
            self._make_wall(connection, held),
            held.scopes,
            row.address,
            remote_address,
            session=row.session,
            is_fresh=is_fresh,
        )

    def _make_wall(self, connection: Connection, held: Rights) -> Wall:
        clients = (None,) if held.clients is None else tuple(held.clients)
        if not self._withheld or Scope.JOB_REVEAL in held.scopes or Scope.JOB_READ not in held.scopes:
            return Wall(*clients)
        reasons = read_withheld_reasons(connection) if Category.UNDERAGE in self._withheld else ()
        return Wall(*clients, withheld=self._withheld, withheld_reasons=reasons)

    def _decide(self, connection: Connection, row: Row[Any] | Identity) -> Rights:
        """Decide what somebody holds by the lists of the settings and by what admins have given."""
        return self.weigh(row, read_rights(connection, row.address, row.groups))

    def weigh(self, row: Row[*tuple[Any, ...]] | Identity, given: Sequence[Row[Any]]) -> Rights:
        """Decide it by rows of what was given, which are all that may mean them; nothing takes from the settings."""
        if not row.is_verified and row.provider not in self._trusted:
            return NO_RIGHTS
        listed = frozenset[Scope]().union(
            *(
                scopes
                for scopes, entries in self._lists.items()
                if any(entry.means(row.provider, row.address) for entry in entries)
            )
        )
        rights = decide(given, row.provider, row.address, row.groups, is_only=len(self.providers) <= 1)
        scopes = listed | rights.scopes
        if not scopes:
            return NO_RIGHTS
        # An admin who reads no jobs has to do with those of all clients.
        sees_all = Scope.JOB_READ in listed or Scope.JOB_READ not in scopes
        return Rights(scopes, None if sees_all else rights.clients)

    def _explain(self, row: Row[Any]) -> str:
        if not row.is_verified and row.provider not in self._trusted:
            return (
                "Your provider does not say that this address is verified, so it is not believed: ask whoever runs "
                "Fencepost to look into FENCEPOST_TRUST_EMAIL."
            )
        return (
            "This address has no access here: ask whoever runs Fencepost to add it, or sign out and come back with "
            "another account."
        )

    def _explain_end(self, row: Row[Any] | None) -> str:
        """Say why somebody has to sign in again; some were too late when they came."""
        if row is None or row.ended_at is not None or _is_signed_out(row):
            return _ENDED
        if self.idle is not None and self._is_idle(row):
            return f"You did nothing here for {self.idle / timedelta(minutes=1):g} minutes: sign in again."
        if row.authenticated_at > row.now + CLOCK_SKEW:
            return "The clocks of this server and of your provider differ: tell whoever runs Fencepost to set them."
        if row.authenticated_at <= row.first_seen_at - self.hours:
            # As `dashboard.server.sign_in_steps` asks for it; some providers do not know the question.
            return (
                f"Your provider let you in without asking again, and you signed in there more than "
                f"{self.hours / timedelta(hours=1):g} hours ago, which is too long here: sign in again. If this comes "
                "back, sign out at your provider first, or tell whoever runs Fencepost."
            )
        return _ENDED

    def _has_ended(self, row: Row[Any]) -> bool:
        is_over = not row.now - self.hours < row.authenticated_at <= row.now + CLOCK_SKEW
        return row.ended_at is not None or _is_signed_out(row) or is_over or self._is_idle(row)

    def _is_idle(self, row: Row[Any]) -> bool:
        return self.idle is not None and (row.last_seen_at or row.first_seen_at) <= row.now - self.idle

    def _note_act(self, connection: Connection, row: Row[Any]) -> None:
        if row.last_seen_at is None or row.last_seen_at < row.now - self._noted:
            seen = update(sessions).where(sessions.c.session == row.session)
            connection.execute(seen.values(last_seen_at=func.clock_timestamp()))

    def _tell(self, connection: Connection, actor: Actor, provider: str) -> None:
        """Note that somebody may come in now, or no longer; of several tabs that notice it one tells the audit."""
        changed = connection.execute(
            update(sessions)
            .where(sessions.c.session == actor.session, sessions.c.is_allowed != bool(actor.scopes))
            .values(is_allowed=bool(actor.scopes))
        )
        if changed.rowcount:
            event = Event.SIGNED_IN if actor.scopes else Event.REFUSED
            append(connection, self._databases.audit_key, event, actor, details={"provider": provider})

    def _forget_tokens(self, connection: Connection) -> None:
        """Forget the tokens of those who went without a word."""
        over = sessions.c.authenticated_at < func.now() - self.hours
        connection.execute(update(sessions).where(over, sessions.c.id_token.is_not(None)).values(id_token=None))


def _minutes(number: float | None) -> timedelta | None:
    return None if number is None else timedelta(minutes=number)


def _explain_claims(claims: Mapping[str, Any], address_claim: str) -> str:
    if not is_text(claims.get(address_claim)):
        return (
            f"Your provider does not say {address_claim}, by which people are known here: ask whoever runs Fencepost "
            "to switch that claim on there, or to name another one in FENCEPOST_ADDRESS_CLAIM."
        )
    return "The sign-in says too little: it needs iss, sub, and auth_time or iat. Tell whoever runs Fencepost."


def _is_signed_out(row: Row[Any]) -> bool:
    return row.signed_out_at is not None and row.first_seen_at <= row.signed_out_at


def _begin(connection: Connection, identity: Identity, session: str, **kept: Any) -> None:
    person = insert(people).values(person=identity.person, address=identity.address)
    connection.execute(
        person.on_conflict_do_update(
            index_elements=["person"], set_={"address": identity.address, "signed_in_at": func.clock_timestamp()}
        )
    )
    connection.execute(
        insert(sessions).values(
            session=session,
            person=identity.person,
            address=identity.address,
            provider=identity.provider,
            is_verified=identity.is_verified,
            groups=list(identity.groups),
            authenticated_at=identity.authenticated_at,
            is_time_said=identity.is_time_said,
            provider_session=identity.provider_session,
            **kept,
        )
    )


def _end(connection: Connection, session: str) -> None:
    ended_at = func.coalesce(sessions.c.ended_at, func.clock_timestamp())
    connection.execute(update(sessions).where(sessions.c.session == session).values(ended_at=ended_at, id_token=None))


def _find_session(connection: Connection, session: str) -> Row[Any] | None:
    """Find a session, with the time of its person's last sign-out."""
    query = (
        select(sessions, people.c.signed_out_at, func.clock_timestamp().label("now"))
        .join(people, people.c.person == sessions.c.person)
        .where(sessions.c.session == session)
    )
    return connection.execute(query).one_or_none()
