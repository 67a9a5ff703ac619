"""The sessions that are open: listed, and ended, by their person, by an admin, or by the provider."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, func, or_, select, true, update

from core.actor import HOUSE, Actor, Forbidden, Scope
from core.audit.events import Event, append
from core.db.databases import Databases
from core.db.schema import people, sessions
from core.errors import NotPossible


def list_sessions(
    databases: Databases, by: Actor, hours: timedelta, idle: timedelta | None = None, *, everybody: bool = False
) -> list[Row[Any]]:
    """Return the open sessions of a person, or of everybody for an admin, newest first.

    `hours` is how long they last, `idle` how long without an act (None: for all their hours). Each has `session`,
    `person`, `address`, `first_seen_at`, `remote_address`, `browser` and `is_allowed`.
    """
    _check(by, everybody)
    query = (
        select(
            sessions.c.session,
            sessions.c.person,
            sessions.c.address,
            sessions.c.first_seen_at,
            sessions.c.remote_address,
            sessions.c.browser,
            sessions.c.is_allowed,
        )
        .join(people, people.c.person == sessions.c.person)
        .where(_is_open(hours, idle))
        .order_by(sessions.c.first_seen_at.desc(), sessions.c.session)
    )
    if not everybody:
        query = query.where(sessions.c.person == by.name)
    with databases.ours.transaction() as connection:
        return list(connection.execute(query))


def end_session(databases: Databases, by: Actor, session: str) -> None:
    """End one session: one's own, or for an admin anybody's. Raises `NotPossible` where it is not open."""
    with databases.ours.transaction() as connection:
        ending = update(sessions).where(sessions.c.session == session, sessions.c.ended_at.is_(None))
        if Scope.ADMIN_CONFIG not in by.scopes:
            ending = ending.where(sessions.c.person == by.name)
        person = connection.execute(
            ending.values(ended_at=func.clock_timestamp(), id_token=None).returning(sessions.c.person)
        ).scalar_one_or_none()
        if person is None:
            raise NotPossible("This session has ended already, or is somebody else's: open the list anew.")
        append(connection, databases.audit_key, Event.SESSION_ENDED, by, subject=person)


def end_by_provider(
    databases: Databases, provider: str, *, person: str | None, provider_session: str | None, before: datetime
) -> int:
    """End what began before an instant, and the provider says has ended: a session of its own, or all of a person's.

    Returns how many there were (OpenID Connect Back-Channel Logout 1.0, section 2.7).
    """
    if person is None and provider_session is None:
        return 0
    meant = [sessions.c.provider == provider, sessions.c.ended_at.is_(None), sessions.c.first_seen_at <= before]
    if person is not None:
        meant.append(sessions.c.person == person)
    if provider_session is not None:
        meant.append(sessions.c.provider_session == provider_session)
    with databases.ours.transaction() as connection:
        ended = connection.execute(
            update(sessions)
            .where(*meant)
            .values(ended_at=func.clock_timestamp(), id_token=None)
            .returning(sessions.c.person)
        ).scalars()
        found = list(ended)
        for name in sorted(set(found)):
            details = {"provider": provider, "sessions": found.count(name)}
            append(connection, databases.audit_key, Event.SESSION_ENDED, HOUSE, subject=name, details=details)
    return len(found)


def _check(by: Actor, everybody: bool) -> None:
    if everybody and Scope.ADMIN_CONFIG not in by.scopes:
        raise Forbidden(f"Everybody's sessions are seen with the scope {Scope.ADMIN_CONFIG.value}: ask for it.")


def _is_open(hours: timedelta, idle: timedelta | None) -> ColumnElement[bool]:
    signed_out = sessions.c.first_seen_at <= people.c.signed_out_at
    acted_at = func.coalesce(sessions.c.last_seen_at, sessions.c.first_seen_at)
    return (
        sessions.c.ended_at.is_(None)
        & (true() if idle is None else acted_at > func.clock_timestamp() - idle)
        & (sessions.c.authenticated_at > func.clock_timestamp() - hours)
        & or_(people.c.signed_out_at.is_(None), ~signed_out)
    )
