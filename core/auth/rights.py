"""Rights that admins give, to a person by address, to a domain, or to a group of the provider; for some clients or all.

They stand beside the lists of the settings, which nothing here takes from.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from core.actor import STAFF_SCOPES, Actor, Forbidden, Scope
from core.audit.events import Event, append
from core.auth.allow_list import Entry, split_entry
from core.characters import check_shown
from core.db.databases import Databases
from core.db.schema import people, rights
from core.errors import InvalidParameter, NotPossible

# What can be given to people.
GIVEN_SCOPES = (*(scope for scope in Scope if scope in STAFF_SCOPES), Scope.ADMIN_CONFIG)

LONGEST_NAME = 200
MOST_CLIENTS = 500


class Kind(StrEnum):
    """Who is meant, from the nearest to the widest: of what is given to these, the nearest counts alone."""

    PERSON = "person"
    GROUP = "group"
    DOMAIN = "domain"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds rights. `provider` is empty where there is one alone; a domain's name begins with `@`."""

    kind: Kind
    name: str
    provider: str = ""

    def __str__(self) -> str:
        """Write it as the settings do; a group with its kind in front."""
        named = f"{self.provider}:{self.name}" if self.provider else self.name
        return f"group {named}" if self.kind is Kind.GROUP else named


@dataclass(frozen=True, slots=True)
class Rights:
    """What somebody may do, and for which clients (None: for all)."""

    scopes: frozenset[Scope] = frozenset()
    clients: frozenset[str] | None = frozenset()


NO_RIGHTS = Rights()


def parse_holder(text: str, *, is_group: bool = False, provider: str = "") -> Holder:
    """Read who is meant: an address or `@domain`, also with its provider in front as the settings have it, or a group.

    Raises `InvalidParameter`.
    """
    if is_group:
        holder = Holder(Kind.GROUP, text.strip(), provider)
    else:
        entry = split_entry(text)
        if not text.strip():
            raise InvalidParameter("who is empty: write name@example.org or @example.org.")
        if entry is None:
            raise InvalidParameter("who is neither an address nor @domain: write name@example.org or @example.org.")
        found = Kind.DOMAIN if entry.address.startswith("@") else Kind.PERSON
        holder = Holder(found, entry.address, entry.provider or provider)
    field = "group" if is_group else "who"
    if not 1 <= len(holder.name) <= LONGEST_NAME:
        raise InvalidParameter(f"{field} is empty or longer than {LONGEST_NAME} characters: name whom you mean.")
    check_shown(field, str(holder))
    return holder


def give_rights(
    databases: Databases,
    by: Actor,
    holder: Holder,
    given: Rights,
    *,
    providers: Sequence[str] = (),
    stays_admin: Callable[[Connection, Actor], bool] | None = None,
) -> None:
    """Give rights to somebody in the place of those that they were given before, with an event in the audit.

    Whoever may do anything with jobs may read them. `stays_admin` tells whether `by` still is an admin afterwards.
    Raises `InvalidParameter` where it makes no sense, and `NotPossible` where `by` would lock themselves out.
    """
    _check_admin(by)
    scopes, clients = _check(given)
    if providers and holder.provider not in (*providers, *([""] if len(providers) == 1 else [])):
        raise InvalidParameter(f"who names no provider that people sign in with: write {providers[0]}: in front.")
    row = insert(rights).values(
        kind=holder.kind.value,
        provider=holder.provider,
        name=holder.name,
        scopes=scopes,
        clients=clients,
        given_by=by.name,
    )
    kept = {name: row.excluded[name] for name in ("scopes", "clients", "given_by")}
    with databases.ours.transaction() as connection:
        connection.execute(
            row.on_conflict_do_update(index_elements=["kind", "provider", "name"], set_=kept | {"given_at": func.now()})
        )
        _check_stays(connection, by, stays_admin)
        details = {"scopes": scopes, "clients": clients}
        append(connection, databases.audit_key, Event.RIGHTS_GIVEN, by, subject=str(holder), details=details)


def take_rights(
    databases: Databases,
    by: Actor,
    holder: Holder,
    *,
    stays_admin: Callable[[Connection, Actor], bool] | None = None,
) -> None:
    """Take from somebody all that was given to them, with an event in the audit.

    Raises `NotPossible` where nothing was, or where `by` would lock themselves out.
    """
    _check_admin(by)
    with databases.ours.transaction() as connection:
        taken = connection.execute(delete(rights).where(_is(holder)).returning(rights.c.scopes)).scalar_one_or_none()
        if taken is None:
            raise NotPossible("Nothing is given to them any more: open the list anew.")
        _check_stays(connection, by, stays_admin)
        details = {"scopes": taken}
        append(connection, databases.audit_key, Event.RIGHTS_TAKEN, by, subject=str(holder), details=details)


def list_rights(databases: Databases, by: Actor) -> list[Row[Any]]:
    """List what was given, with the `address` of who gave it: people first, then groups, then domains."""
    _check_admin(by)
    given_by = rights.outerjoin(people, people.c.person == rights.c.given_by)
    query = select(rights, people.c.address).select_from(given_by)
    with databases.ours.transaction() as connection:
        rows = connection.execute(query.order_by(rights.c.provider, rights.c.name)).all()
    order = list(Kind)
    return sorted(rows, key=lambda row: order.index(Kind(row.kind)))


def holder_of(row: Row[Any]) -> Holder:
    """Return who holds what a row gives."""
    return Holder(Kind(row.kind), row.name, row.provider)


def rights_of(row: Row[Any]) -> Rights:
    """Return what a row gives."""
    scopes = frozenset(Scope(scope) for scope in row.scopes if scope in set(GIVEN_SCOPES))
    return Rights(scopes, None if row.clients is None else frozenset(row.clients))


def read_rights(connection: Connection, address: str, groups: Collection[str]) -> Sequence[Row[Any]]:
    """Read the rows that may mean somebody; `decide` says which do."""
    names = [address, f"@{address.rpartition('@')[2]}", *groups]
    return connection.execute(select(rights).where(rights.c.name == func.any(names))).all()


def decide(rows: Iterable[Row[Any]], provider: str, address: str, groups: Collection[str], *, is_only: bool) -> Rights:
    """Decide what somebody was given: what is theirs alone, else by their groups, else by their domain.

    `is_only`: there is one provider, which need not be named. Of several groups all clients count together; a right
    that is not given for all of these is not in force, so that no two groups add up to more than either gives.
    """
    meant = [row for row in rows if _means(holder_of(row), provider, address, groups, is_only=is_only)]
    for kind in Kind:
        found = [rights_of(row) for row in meant if row.kind == kind]
        if found:
            return _unite(found)
    return NO_RIGHTS


def _means(holder: Holder, provider: str, address: str, groups: Collection[str], *, is_only: bool) -> bool:
    if holder.provider != provider and not (is_only and holder.provider == ""):
        return False
    if holder.kind is Kind.GROUP:
        return holder.name in groups
    entry = Entry(None, holder.name)
    return entry.means(provider, address) and entry.address.startswith("@") == (holder.kind is Kind.DOMAIN)


def _unite(found: Sequence[Rights]) -> Rights:
    clients = _clients_of(found)
    scopes = {
        scope
        for scope in frozenset[Scope]().union(*(each.scopes for each in found))
        if _clients_of([each for each in found if scope in each.scopes]) == clients
    }
    # An admin is one for all clients, whatever else they may see.
    if any(Scope.ADMIN_CONFIG in each.scopes for each in found):
        scopes.add(Scope.ADMIN_CONFIG)
    return Rights(frozenset(scopes), clients)


def _clients_of(found: Sequence[Rights]) -> frozenset[str] | None:
    """Return the clients of some rights together."""
    together: frozenset[str] = frozenset()
    for each in found:
        if each.clients is None:
            return None
        together |= each.clients
    return together


def _check(given: Rights) -> tuple[list[str], list[str] | None]:
    of_people = given.scopes & frozenset(GIVEN_SCOPES)
    if not of_people:
        raise InvalidParameter("They may do nothing: choose what they may, or take away what they have.")
    if given.scopes - of_people:
        raise InvalidParameter(f"scope {min(given.scopes - of_people)} is for keys: choose another one.")
    if of_people & STAFF_SCOPES:
        of_people |= {Scope.JOB_READ}
    if Scope.JOB_EXPORT in of_people and Scope.JOB_REVEAL not in of_people:
        raise InvalidParameter("An export holds all texts: give the right to see withheld ones too, or no export.")
    if given.clients is None:
        return sorted(of_people), None
    clients = sorted({client.strip() for client in given.clients} - {""})
    if not 1 <= len(clients) <= MOST_CLIENTS:
        raise InvalidParameter(f"clients are none, or more than {MOST_CLIENTS}: name some, or choose all clients.")
    if Scope.ADMIN_CONFIG in of_people:
        raise InvalidParameter("An admin is one for all clients: choose all clients, or leave that right out.")
    for client in clients:
        check_shown("client", client)
    return sorted(of_people), clients


def _check_admin(by: Actor) -> None:
    if Scope.ADMIN_CONFIG not in by.scopes:
        raise Forbidden(f"Rights are given and taken with the scope {Scope.ADMIN_CONFIG.value}: ask for it.")


def _check_stays(connection: Connection, by: Actor, stays_admin: Callable[[Connection, Actor], bool] | None) -> None:
    if stays_admin is not None and not stays_admin(connection, by):
        raise NotPossible("That would take your own right to give rights: ask another admin to do it.")


def _is(holder: Holder) -> ColumnElement[bool]:
    return and_(rights.c.kind == holder.kind.value, rights.c.provider == holder.provider, rights.c.name == holder.name)
