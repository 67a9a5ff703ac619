"""Claims: a job that somebody reviews is not given to anybody else."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert

from core.actor import Actor
from core.db.database import Database
from core.db.schema import review_claims

# How long a job is kept for somebody after the last thing that they did with it.
CLAIM = timedelta(minutes=10)


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


def claim_first(database: Database, by: Actor, ids: Sequence[UUID]) -> UUID | None:
    """Claim the first of some jobs that can be."""
    if not ids:
        return None
    taken = select(review_claims.c.job_id).where(
        review_claims.c.job_id == func.any(list(ids)),
        review_claims.c.ends_at > func.now(),
        review_claims.c.person != by.name,
    )
    with database.transaction() as connection:
        others = set(connection.execute(taken).scalars())
    return next((job_id for job_id in ids if job_id not in others and claim(database, by, job_id)), None)


def claim(database: Database, by: Actor, job_id: UUID) -> bool:
    ends_at = func.now() + CLAIM
    row = insert(review_claims).values(job_id=job_id, person=by.name, ends_at=ends_at)
    # Of two at the same moment the second waits for the first, and finds the claim held.
    free = or_(review_claims.c.ends_at <= func.now(), review_claims.c.person == by.name)
    claimed = row.on_conflict_do_update(
        index_elements=["job_id"], set_={"person": by.name, "ends_at": ends_at}, where=free
    ).returning(review_claims.c.job_id)
    with database.transaction() as connection:
        return connection.execute(claimed).one_or_none() is not None
