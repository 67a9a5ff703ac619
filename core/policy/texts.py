"""The texts of the policy: one in general, one for each category, one for each reason that admins write about."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import distinct_on

from core.actor import Actor, Forbidden, Scope
from core.audit.events import Event, append
from core.characters import make_storable
from core.db.database import Database
from core.db.databases import Databases
from core.db.schema import people, policies
from core.errors import InvalidParameter, NotPossible
from core.jobs.filter import LONGEST_SEARCH, Category
from core.policy.outdated import mark_outdated, unmark_outdated

# Characters.
LONGEST_TEXT = 20_000

# Seconds that each statement of a change may take: one may mark every verdict there is.
PATIENCE = 600


class Kind(StrEnum):
    """What a text is about."""

    GENERAL = "general"
    CATEGORY = "category"
    REASON = "reason"


@dataclass(frozen=True, slots=True)
class Subject:
    """What a text is about: `value` is the category or the reason, empty in general."""

    kind: Kind
    value: str = ""


GENERAL = Subject(Kind.GENERAL)


@dataclass(frozen=True, slots=True)
class Policy:
    """What applies now: the texts by their subjects, and the number of the newest version of all (0: none)."""

    texts: Mapping[Subject, Row[Any]]
    version: int


def read_policy(database: Database) -> Policy:
    """Read what applies now; each row has `version`, `text`, `written_at` and its writer's `address`."""
    query = _rows().ext(distinct_on(policies.c.kind, policies.c.value))
    query = query.order_by(policies.c.kind, policies.c.value, policies.c.version.desc())
    with database.transaction() as connection:
        rows = connection.execute(query).all()
    texts = {Subject(Kind(row.kind), row.value): row for row in rows if row.text}
    return Policy(texts, max((row.version for row in rows), default=0))


def list_versions(database: Database, subject: Subject) -> list[Row[Any]]:
    """List the versions of a text, the newest first; an empty text took it back."""
    query = _rows().where(*_is_about(subject)).order_by(policies.c.version.desc())
    with database.transaction() as connection:
        return list(connection.execute(query))


def write_policy(
    databases: Databases, by: Actor, subject: Subject, words: str, *, earlier_count: bool, shown: int | None = None
) -> int:
    """Write a new version of a text, with its event; return its number. An empty text takes the last one back.

    `earlier_count`: whether verdicts that were given before, on jobs that the text is about, still count in Quality.
    `shown` is the version that the writer has seen. Raises `Forbidden`, `InvalidParameter` for a text that cannot be,
    and `NotPossible` where there is a newer version than was shown.
    """
    check_admin(by)
    words = make_storable(words).strip()
    _check(subject, words)
    with databases.ours.transaction(timeout=PATIENCE) as connection:
        lock_policy(connection)
        last = connection.execute(
            select(policies).where(*_is_about(subject)).order_by(policies.c.version.desc()).limit(1)
        ).one_or_none()
        if shown is not None and last is not None and last.version > shown:
            raise NotPossible("Somebody has changed this text meanwhile: close this, and begin with theirs.")
        if words == ("" if last is None else last.text):
            raise InvalidParameter("The text is as it was: change it, or close this.")
        version: int = connection.execute(select(func.coalesce(func.max(policies.c.version), 0) + 1)).scalar_one()
        values = {"version": version, "kind": subject.kind.value, "value": subject.value}
        row = values | {"text": words, "written_by": by.name, "earlier_count": earlier_count}
        connection.execute(insert(policies).values(row))
        outdated = 0 if earlier_count else mark_outdated(databases, connection, version, subject.kind, subject.value)
        details = values | {"earlier_count": earlier_count, "outdated": outdated, "is_taken_back": not words}
        append(connection, databases.audit_key, Event.POLICY_WRITTEN, by, subject=str(version), details=details)
    return version


def let_count(databases: Databases, by: Actor, version: int, *, earlier_count: bool) -> None:
    """Change whether verdicts from before a version count in Quality, with its event. Raises `Forbidden`."""
    check_admin(by)
    with databases.ours.transaction(timeout=PATIENCE) as connection:
        lock_policy(connection)
        changed = (
            update(policies)
            .where(policies.c.version == version, policies.c.earlier_count.is_not(earlier_count))
            .values(earlier_count=earlier_count)
            .returning(policies.c.kind, policies.c.value)
        )
        row = connection.execute(changed).one_or_none()
        if row is None:
            return
        if earlier_count:
            unmark_outdated(connection, version)
        else:
            mark_outdated(databases, connection, version, row.kind, row.value)
        details = {"kind": row.kind, "value": row.value, "earlier_count": earlier_count}
        append(connection, databases.audit_key, Event.POLICY_RECOUNTED, by, subject=str(version), details=details)


def check_admin(by: Actor) -> None:
    """Raise `Forbidden` where somebody may not change the policy."""
    if Scope.ADMIN_CONFIG not in by.scopes:
        raise Forbidden("Changing the policy needs the scope admin:config: ask an administrator.")


def lock_policy(connection: Connection, *, shared: bool = False) -> None:
    """Let changes of the policy, and verdicts under it (`shared`), come one after the other."""
    function = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
    connection.execute(text(f"SELECT {function}(hashtextextended('fencepost policy', 0))"))


def find_version(connection: Connection) -> int:
    """Return the number of the newest version of all; 0 where there is none."""
    return int(connection.execute(select(func.coalesce(func.max(policies.c.version), 0))).scalar_one())


def _rows() -> Select[Any]:
    columns = (*policies.c, func.coalesce(people.c.address, policies.c.written_by).label("address"))
    return select(*columns).select_from(policies.outerjoin(people, people.c.person == policies.c.written_by))


def _is_about(subject: Subject) -> list[Any]:
    return [policies.c.kind == subject.kind.value, policies.c.value == subject.value]


def _check(subject: Subject, words: str) -> None:
    if len(words) > LONGEST_TEXT:
        raise InvalidParameter(f"The text is longer than {LONGEST_TEXT:,} characters: shorten it.")
    if subject.kind is Kind.CATEGORY and subject.value not in set(Category):
        raise InvalidParameter(f"There is no such category: choose one of {', '.join(Category)}.")
    if subject.kind is Kind.REASON and not 1 <= len(subject.value) <= LONGEST_SEARCH:
        raise InvalidParameter(f"A reason has 1 to {LONGEST_SEARCH} characters: choose one.")
