"""Queues of jobs to review, and claims that keep two people off one job.

Candidates are read from the source by keyset; what was reviewed or is claimed is known to ours, and dropped in batches.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Select, and_, func, not_, or_, select
from sqlalchemy.dialects.postgresql import insert

from core.access import Actor
from core.database import Database, Databases
from core.filters import DateRange, Decision, JobFilter
from core.hiding import Texts
from core.query import PageKey, page_jobs
from core.reviews import Verdict, find_reviewed
from core.schema import review_claims, reviews

# How long a claim lasts that is not renewed.
CLAIM = timedelta(minutes=10)

# Candidates that are looked at together, and how many together before somebody is told to narrow the filter.
BATCH = 200
MOST_CANDIDATES = 10_000


_GREATEST_ID = UUID(int=2**128 - 1)


class Queue(StrEnum):
    """Which jobs are to be reviewed."""

    # Nobody has reviewed them yet.
    NEW = "new"
    # Two people disagree: a third one gets them, without seeing what the two have said.
    DISAGREED = "disagreed"
    # Somebody wants others to look at them.
    ESCALATED = "escalated"


@dataclass(frozen=True, slots=True)
class Turn:
    """A job that was claimed for somebody, and where the search for the next one goes on."""

    job_id: UUID
    after: PageKey | None = None


def claim_next(
    databases: Databases,
    by: Actor,
    job_filter: JobFilter,
    queue: Queue,
    *,
    after: PageKey | None = None,
    sample: int | None = None,
    timeout: float | None = None,
) -> Turn | None:
    """Claim the next job of a queue that nobody else is at, or return None where there is none.

    `after` is where the search begins; beyond the end of the list it begins anew, once. `sample` is the number of the
    turn in a sample that is even over time: any number of turns is spread over the whole range. The queues `disagreed`
    and `escalated` take range and client from the filter, and leave the rest.
    """
    if queue is not Queue.NEW:
        with databases.ours.transaction(timeout=timeout) as connection:
            ids = [row.job_id for row in connection.execute(_open_query(queue, job_filter, by))]
        claimed = _claim_first(databases.ours, by, ids)
        return None if claimed is None else Turn(claimed)
    places = [after, None] if after is not None else [None]
    if sample is not None:
        places = [_spread(job_filter.range, sample), None]
    for place in places:
        for keys in _candidates(databases, by, job_filter, place, timeout):
            reviewed = find_reviewed(databases.ours, [key.job_id for key in keys])
            left = [key for key in keys if key.job_id not in reviewed]
            claimed = _claim_first(databases.ours, by, [key.job_id for key in left])
            if claimed is not None:
                return Turn(claimed, next(key for key in left if key.job_id == claimed))
    return None


def renew_claim(database: Database, by: Actor, job_id: UUID) -> bool:
    """Let a claim last from now on; False where somebody else has the job meanwhile."""
    return _claim(database, by, job_id)


def release_claim(database: Database, by: Actor, job_id: UUID) -> None:
    """Leave a job to others."""
    with database.transaction() as connection:
        connection.execute(
            review_claims.update()
            .where(review_claims.c.job_id == job_id, review_claims.c.person == by.name)
            .values(ends_at=func.now())
        )


def _candidates(
    databases: Databases, by: Actor, job_filter: JobFilter, after: PageKey | None, timeout: float | None
) -> Iterator[list[PageKey]]:
    """Read the decided jobs of a filter, newest first, a batch at a time."""
    wanted = tuple(item for item in (Decision.REJECT, Decision.PASS) if item in (job_filter.decision or Decision))
    if not wanted:
        return
    decided, folding, looked_at = replace(job_filter, decision=wanted), databases.source.folding(), 0
    while looked_at < MOST_CANDIDATES:
        with databases.source.transaction(timeout=timeout) as connection:
            page = page_jobs(connection, decided, by.wall, folding, after=after, limit=BATCH, texts=Texts.NONE)
        if page.rows:
            yield [PageKey(row.created_at, row.job_id) for row in page.rows]
        if page.next is None:
            return
        looked_at, after = looked_at + len(page.rows), page.next


def _claim_first(database: Database, by: Actor, ids: Sequence[UUID]) -> UUID | None:
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
    return next((job_id for job_id in ids if job_id not in others and _claim(database, by, job_id)), None)


def _claim(database: Database, by: Actor, job_id: UUID) -> bool:
    ends_at = func.now() + CLAIM
    row = insert(review_claims).values(job_id=job_id, person=by.name, ends_at=ends_at)
    # Of two at the same moment the second waits for the first, and finds the claim held.
    free = or_(review_claims.c.ends_at <= func.now(), review_claims.c.person == by.name)
    claimed = row.on_conflict_do_update(
        index_elements=["job_id"], set_={"person": by.name, "ends_at": ends_at}, where=free
    ).returning(review_claims.c.job_id)
    with database.transaction() as connection:
        return connection.execute(claimed).one_or_none() is not None


def _open_query(queue: Queue, job_filter: JobFilter, by: Actor) -> Select[tuple[UUID]]:
    """Build the query of the jobs that are disagreed upon or escalated, and that the person has not reviewed."""
    bounds, verdict = job_filter.range, reviews.c.verdict
    clients = {by.wall.client_id, job_filter.client_id} - {None}
    agreed = func.count().filter(verdict == Verdict.AGREE.value)
    overturned = func.count().filter(verdict == Verdict.OVERTURN.value)
    query = (
        select(reviews.c.job_id)
        .where(
            reviews.c.superseded_at.is_(None),
            reviews.c.job_created_at >= bounds.start,
            reviews.c.job_created_at < bounds.end,
            *(reviews.c.client_id == client for client in clients),
        )
        .group_by(reviews.c.job_id)
        .having(not_(func.bool_or(reviews.c.person == by.name)))
        .order_by(func.min(reviews.c.reviewed_at))
        .limit(BATCH)
    )
    if queue is Queue.DISAGREED:
        # A third one decides; who was not sure does not count.
        return query.having(and_(agreed == 1, overturned == 1))
    escalated = func.max(reviews.c.reviewed_at).filter(verdict == Verdict.ESCALATE.value)
    settled = func.max(reviews.c.reviewed_at).filter(verdict.in_((Verdict.AGREE.value, Verdict.OVERTURN.value)))
    # Who looks at it and says what is right settles it.
    return query.having(and_(escalated.is_not(None), or_(settled.is_(None), settled < escalated)))


def _spread(bounds: DateRange, number: int) -> PageKey:
    """Return the place of a turn in a sample: van der Corput's sequence, whose every beginning is spread evenly."""
    share, weight, rest = 0.0, 0.5, number
    while rest:
        share += weight * (rest & 1)
        rest, weight = rest >> 1, weight / 2
    # From the newest backwards, as the list is.
    at: datetime = bounds.end - (bounds.end - bounds.start) * share
    return PageKey(at, _GREATEST_ID)
