"""The people who have come in: since when, when they were last seen, and what they hold now."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, true

from core.actor import Actor, Forbidden, Scope
from core.auth.rights import NO_RIGHTS, Rights
from core.auth.sign_in import Door
from core.db.databases import Databases
from core.db.schema import people, rights, sessions

# People who are listed, those who were seen last.
MOST_PEOPLE = 500


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who has come in at least once: their name in receipts and the audit, their address, and their rights.

    `seen_at` is to the minute. `groups` are those that the provider said at the last sign-in.
    """

    person: str
    address: str
    provider: str | None
    came_at: datetime
    seen_at: datetime
    groups: tuple[str, ...]
    held: Rights


def list_people(databases: Databases, by: Actor, door: Door | None) -> list[Visitor]:
    """List the people who have come in, those who were seen last first; without a door nobody holds anything.

    What somebody holds is decided by what the provider said at their last sign-in, as if they came back now.
    """
    if Scope.ADMIN_CONFIG not in by.scopes:
        raise Forbidden(f"People are listed with the scope {Scope.ADMIN_CONFIG.value}: ask for it.")
    last = (
        select(sessions)
        .where(sessions.c.person == people.c.person)
        .order_by(sessions.c.first_seen_at.desc())
        .limit(1)
        .lateral("last")
    )
    seen_at = func.greatest(last.c.last_seen_at, last.c.first_seen_at, people.c.signed_in_at).label("seen_at")
    columns = [people.c.person, people.c.address, people.c.came_at, seen_at, last.c.provider, last.c.is_verified]
    query = (
        select(*columns, func.coalesce(last.c.groups, []).label("groups"))
        .select_from(people.outerjoin(last, true()))
        .order_by(seen_at.desc(), people.c.person)
        .limit(MOST_PEOPLE)
    )
    with databases.ours.transaction() as connection:
        given = connection.execute(select(rights)).all()
        rows = connection.execute(query).all()
    return [
        Visitor(
            row.person,
            row.address,
            row.provider,
            row.came_at,
            row.seen_at,
            tuple(row.groups),
            NO_RIGHTS if door is None or row.provider is None else door.weigh(row, given),
        )
        for row in rows
    ]
