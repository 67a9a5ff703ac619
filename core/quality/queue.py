"""A sample as a queue: its jobs one after the other, in the order in which chance has drawn them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, and_, exists, func, select

from core.actor import Actor
from core.db.databases import Databases
from core.db.schema import reviews, sample_jobs
from core.gold.turns import end_turns
from core.policy.outdated import COUNTS
from core.quality.progress import read_current
from core.review.claims import claim_first, release_claim

# Jobs that are looked at together.
BATCH = 100


def claim_next_drawn(
    databases: Databases, by: Actor, sample: Row[Any], *, after: int = 0, leaving: UUID | None = None
) -> tuple[UUID, int] | None:
    """Claim the next job of a sample for somebody, and return it with its place; None where there is none.

    Passed over are jobs that they have judged, of which there are enough opinions, at which somebody else is, and that
    are gone or decided anew. The search goes on after a place, and from the beginning once.
    """
    for start in dict.fromkeys((after, 0)):
        place = start
        while rows := _read_open(databases, by, sample, place):
            decisions = read_current(databases, by.wall, [row.job_id for row in rows])
            ids = [row.job_id for row in rows if row.job_id != leaving and _is_as_drawn(row, decisions)]
            places = {row.job_id: row.place for row in rows}
            while (claimed := claim_first(databases.ours, by, ids)) is not None:
                if _read_open(databases, by, sample, 0, claimed):
                    end_turns(databases.ours, by, claimed)
                    return claimed, places[claimed]
                # Somebody was at it, has judged it and left it since.
                release_claim(databases.ours, by, claimed)
                ids.remove(claimed)
            place = rows[-1].place
    return None


def count_open(databases: Databases, by: Actor, sample: Row[Any]) -> int:
    """Count the jobs of a sample that somebody could judge, those at which others are included."""
    query = select(func.count()).select_from(_open_jobs(by, sample).subquery())
    with databases.ours.transaction() as connection:
        return int(connection.execute(query).scalar_one())


def _is_as_drawn(row: Row[Any], decisions: dict[UUID, bool | None]) -> bool:
    return row.job_id in decisions and decisions[row.job_id] is row.is_prohibited


def _read_open(
    databases: Databases, by: Actor, sample: Row[Any], after: int, job_id: UUID | None = None
) -> Sequence[Row[Any]]:
    query = _open_jobs(by, sample).where(sample_jobs.c.place > after).order_by(sample_jobs.c.place).limit(BATCH)
    if job_id is not None:
        query = query.where(sample_jobs.c.job_id == job_id)
    with databases.ours.transaction() as connection:
        return connection.execute(query).all()


def _open_jobs(by: Actor, sample: Row[Any]) -> Select[Any]:
    counted = and_(reviews.c.job_id == sample_jobs.c.job_id, COUNTS)
    given = select(func.count()).where(counted).scalar_subquery()
    return select(sample_jobs.c.job_id, sample_jobs.c.place, sample_jobs.c.is_prohibited).where(
        sample_jobs.c.sample_id == sample.sample_id,
        given < sample.opinions,
        ~exists().where(counted, reviews.c.person == by.name),
    )
