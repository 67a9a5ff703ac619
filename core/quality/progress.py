"""How far a sample is judged, at what pace, and which of its jobs cannot be judged as they were drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select

from core.db.databases import Databases
from core.db.schema import reviews, sample_jobs
from core.jobs.job import read_decisions
from core.jobs.wall import Wall
from core.policy.outdated import COUNTS

# What the pace is taken from: the last so many days, or as many as there are since the first verdict.
_RECENT = timedelta(days=7)

# The pace of less than this says nothing.
_LEAST = timedelta(minutes=10)

# Ids that are looked up at once.
_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Progress:
    """How many opinions are given of those that are wanted, what a day brings, and when there will be all.

    `per_day` is None where nobody has judged lately; `done_at` also where nothing is left.
    """

    wanted: int
    given: int
    per_day: float | None
    done_at: datetime | None


@dataclass(frozen=True, slots=True)
class Lapsed:
    """Jobs that were not judged before they were gone, or before another decision was made on them."""

    gone: tuple[UUID, ...]
    changed: tuple[UUID, ...]


def read_progress(databases: Databases, sample: Row[Any], *, without: int = 0) -> Progress:
    """Tell how far a sample is; `without` so many jobs, which nobody can judge."""
    by_job = (
        select(func.least(func.count(reviews.c.review_id), sample.opinions).label("given"))
        .select_from(sample_jobs.outerjoin(reviews, _COUNTED))
        .where(sample_jobs.c.sample_id == sample.sample_id)
        .group_by(sample_jobs.c.job_id)
        .subquery()
    )
    recent = select(func.count(), func.min(reviews.c.reviewed_at), func.now()).where(
        sample_jobs.c.sample_id == sample.sample_id, reviews.c.reviewed_at > func.now() - _RECENT
    )
    with databases.ours.transaction() as connection:
        jobs, given = connection.execute(select(func.count(), func.coalesce(func.sum(by_job.c.given), 0))).one()
        lately, since, now = connection.execute(recent.select_from(sample_jobs.join(reviews, _COUNTED))).one()
    wanted = (jobs - without) * sample.opinions
    if not lately or now - since < _LEAST:
        return Progress(wanted, int(given), None, None)
    per_day = lately / ((now - since) / timedelta(days=1))
    left = wanted - int(given)
    return Progress(wanted, int(given), per_day, now + timedelta(days=left / per_day) if left > 0 else None)


def find_lapsed(databases: Databases, wall: Wall, sample_id: UUID) -> Lapsed:
    """Find the jobs of a sample that nobody has judged and that are not as they were drawn any more."""
    open_jobs = (
        select(sample_jobs.c.job_id, sample_jobs.c.is_prohibited)
        .outerjoin(reviews, _COUNTED)
        .where(sample_jobs.c.sample_id == sample_id, reviews.c.review_id.is_(None))
        .order_by(sample_jobs.c.place)
    )
    with databases.ours.transaction() as connection:
        drawn = {row.job_id: row.is_prohibited for row in connection.execute(open_jobs)}
    now = read_current(databases, wall, list(drawn))
    return Lapsed(
        tuple(job_id for job_id in drawn if job_id not in now),
        tuple(job_id for job_id, decision in drawn.items() if job_id in now and now[job_id] is not decision),
    )


def read_current(databases: Databases, wall: Wall, ids: Sequence[UUID]) -> dict[UUID, bool | None]:
    """Return the decisions that some jobs have now, of those that are still there."""
    found: dict[UUID, bool | None] = {}
    with databases.source.transaction() as connection:
        for start in range(0, len(ids), _BATCH):
            found |= read_decisions(connection, wall, ids[start : start + _BATCH])
    return found


_COUNTED = (reviews.c.job_id == sample_jobs.c.job_id) & COUNTS
