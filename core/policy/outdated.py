"""Verdicts that were given before a version of the policy which does not let them count."""

from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    func,
    literal,
    or_,
    select,
    true,
    update,
)

from core.db.databases import Databases
from core.db.schema import reviews
from core.jobs.job import find_with_reason
from core.jobs.wall import Wall


def counts(table: FromClause) -> ColumnElement[bool]:
    """Build the condition under which a verdict counts: the last word of its person, under a policy that counts."""
    return table.c.superseded_at.is_(None) & (func.cardinality(table.c.outdated_by) == 0)


# The one condition, whatever is counted: queues, samples, rates, agreement.
COUNTS = counts(reviews)

# Ids that are looked up at once.
_BATCH = 1_000


def mark_outdated(databases: Databases, connection: Connection, version: int, kind: str, value: str) -> int:
    """Let verdicts from before a version, on jobs that its text is about, not count; return how many.

    Whoever calls holds the lock of the policy. Which reason a job has the source knows: one that is gone has none.
    """
    before = func.coalesce(reviews.c.policy_version, 0) < version
    match kind:
        case "category":
            about = or_(reviews.c[f"category_{value}"], reviews.c.categories.any_() == value)
        case "reason":
            ids = list(connection.execute(select(reviews.c.job_id).where(before).distinct()).scalars())
            about = reviews.c.job_id == func.any(_find_with_reason(databases, ids, value))
        case _:
            about = true()
    marked = update(reviews).where(before, about, ~(reviews.c.outdated_by.any_() == version))
    appended = func.array_append(reviews.c.outdated_by, literal(version, BigInteger))
    return connection.execute(marked.values(outdated_by=appended)).rowcount


def unmark_outdated(connection: Connection, version: int) -> None:
    """Let verdicts count again that a version did not let count, as far as no other one says so, too."""
    left = func.array_remove(reviews.c.outdated_by, literal(version, BigInteger), type_=ARRAY(BigInteger))
    connection.execute(update(reviews).where(reviews.c.outdated_by.any_() == version).values(outdated_by=left))


def _find_with_reason(databases: Databases, ids: list[UUID], reason: str) -> list[UUID]:
    found: list[UUID] = []
    with databases.source.transaction() as connection:
        for start in range(0, len(ids), _BATCH):
            found += find_with_reason(connection, Wall(None), ids[start : start + _BATCH], [reason])
    return found
