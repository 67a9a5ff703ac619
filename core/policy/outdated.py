"""Verdicts that were given before a version of the policy which does not let them count."""

from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, ColumnElement, Connection, func, literal, or_, select, true, update

from core.db.databases import Databases
from core.db.schema import reviews
from core.jobs.job import find_with_reason
from core.jobs.wall import Wall

# A verdict that is its person's last word on a job, and that was given under a policy that still counts.
COUNTS: ColumnElement[bool] = reviews.c.superseded_at.is_(None) & (func.cardinality(reviews.c.outdated_by) == 0)

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
