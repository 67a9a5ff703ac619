"""Claims: a job that somebody reviews is not given to anybody else."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import randrange
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Uuid, column, exists, func, literal, or_, select, true
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.sql.dml import ReturningInsert

from core.actor import Actor
from core.db.database import Database
from core.db.schema import review_claims

# How long a job is kept for somebody after the last thing that they did with it.
CLAIM = timedelta(minutes=10)


# The condition on the id of a job under which it is one to be given out.
Standing = Callable[[ColumnElement[UUID]], ColumnElement[bool]]


def renew_claim(database: Database, by: Actor, job_id: UUID) -> bool:
    """Let a claim last from now on; False where somebody else has the job meanwhile."""
    return claim(database, by, job_id)


def find_holder(database: Database, job_id: UUID) -> str | None:
    """Return the name of the person for whom a job is kept, or None."""
    query = select(review_claims.c.person).where(review_claims.c.job_id == job_id, review_claims.c.ends_at > func.now())
    with database.transaction() as connection:
        return connection.execute(query).scalar_one_or_none()


def release_claim(database: Database, by: Actor, job_id: UUID) -> None:
    """Leave a job to others."""
    with database.transaction() as connection:
        connection.execute(
            review_claims.update()
            .where(review_claims.c.job_id == job_id, review_claims.c.person == by.name)
            .values(ends_at=func.now())
        )


def _any(_: ColumnElement[UUID]) -> ColumnElement[bool]:
    return true()


def claim_first(database: Database, by: Actor, ids: Sequence[UUID], stands: Standing = _any) -> UUID | None:
    """Claim the first of some jobs that can be, or one soon after it where others are about to claim that one, too.

    `stands` is what must hold of the job; look again, once it is claimed, whether nobody has changed that in between.
    """
    lost = 0
    while ids:
        # Many people who read the same jobs would lose to each other at one job after the other.
        passed_over = randrange(min(2**lost, len(ids)))  # noqa: S311 - not secret
        with database.transaction() as connection:
            first, claimed = connection.execute(_claim_one(by, ids, stands, passed_over)).one()
        if claimed is not None:
            return claimed
        if first is None and not passed_over:
            return None
        lost = lost + 1 if first is not None else 0
    return None


def _claim_one(by: Actor, ids: Sequence[UUID], stands: Standing, passed_over: int) -> Select[UUID | None, UUID | None]:
    """Build the statement that finds the first free one of some jobs and claims it, unless somebody else just has."""
    wanted = (
        func.unnest(literal(list(ids), ARRAY(Uuid)))
        .table_valued(column("job_id", Uuid), with_ordinality="place", name="wanted")
        .render_derived()
    )
    is_taken = exists().where(
        review_claims.c.job_id == wanted.c.job_id,
        review_claims.c.ends_at > func.now(),
        review_claims.c.person != by.name,
    )
    free = (
        select(wanted.c.job_id)
        .where(~is_taken, stands(wanted.c.job_id))
        .order_by(wanted.c.place)
        .offset(passed_over)
        .limit(1)
    )
    first = free.cte("first")
    claimed = _claiming(by, select(first.c.job_id, literal(by.name), func.now() + CLAIM)).cte("claimed")
    return select(select(first.c.job_id).scalar_subquery(), select(claimed.c.job_id).scalar_subquery())


def claim(database: Database, by: Actor, job_id: UUID) -> bool:
    with database.transaction() as connection:
        query = _claiming(by, select(literal(job_id), literal(by.name), func.now() + CLAIM))
        return connection.execute(query).one_or_none() is not None


def _claiming(by: Actor, rows: Select[UUID, str, datetime]) -> ReturningInsert[UUID]:
    row = insert(review_claims).from_select(["job_id", "person", "ends_at"], rows)
    # Of two at the same moment the second waits for the first, and finds the claim held.
    free = or_(review_claims.c.ends_at <= func.now(), review_claims.c.person == by.name)
    return row.on_conflict_do_update(
        index_elements=["job_id"], set_={"person": by.name, "ends_at": func.now() + CLAIM}, where=free
    ).returning(review_claims.c.job_id)
