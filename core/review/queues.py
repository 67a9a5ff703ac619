"""Queues of jobs to review, and claims that keep two people off one job.

Candidates are read by keyset, from the source or from the reviews; what else is to be known of them, each time from the
other of the two, is asked in batches of ids, because no statement touches both.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, func, literal, not_, or_, select, tuple_

from core.actor import Actor
from core.db.database import Database
from core.db.databases import Databases
from core.db.schema import reviews
from core.errors import QueryTooSlow
from core.gold.turns import end_turns
from core.jobs.access import make_access
from core.jobs.filter import DateRange, Decision, JobFilter
from core.jobs.pages import list_keys
from core.jobs.query import PageKey, find_matching
from core.jobs.wall import of_clients
from core.policy.outdated import COUNTS
from core.review.claims import Standing, claim_first, release_claim
from core.review.verdicts import IS_FIRM, WOULD_REJECT, Verdict, find_reviewed

# Candidates that are looked at together: few, because mostly the first one is free, then more each time.
BATCH = 200
LARGEST_BATCH = 5_000
# How many before somebody is told to choose other jobs.
MOST_CANDIDATES = 100_000


_GREATEST_ID = UUID(int=2**128 - 1)


class Queue(StrEnum):
    """Which jobs are to be reviewed."""

    # Nobody has reviewed them yet.
    NEW = "new"
    # One person has reviewed them: without a second one nothing is known of how far reviewers agree.
    SECOND = "second"
    # Two people disagree: a third one gets them, without seeing what the two have said.
    DISAGREED = "disagreed"
    # Somebody wants others to look at them.
    ESCALATED = "escalated"


@dataclass(frozen=True, slots=True)
class Turn:
    """A job that was claimed for somebody, and where the search for the next one goes on."""

    job_id: UUID
    after: PageKey


def claim_next(
    databases: Databases,
    by: Actor,
    job_filter: JobFilter,
    queue: Queue,
    *,
    after: PageKey | None = None,
    sample: int | None = None,
    leaving: UUID | None = None,
    is_oldest_first: bool | None = None,
    timeout: float | None = None,
) -> Turn | None:
    """Claim the next job of a queue that nobody else is at, or return None where there is none but the one one leaves.

    `after` is where the search begins; beyond the end of the list it begins anew, once. `sample` is the number of the
    turn in a sample that is even over time: any number of turns is spread over the whole range. New jobs come
    newest first, and others the one first that has waited longest, unless `is_oldest_first` says so. Raises
    `QueryTooSlow` where very many jobs were looked at in vain.
    """
    decided = narrow_to_decided(job_filter)
    if decided is None:
        return None
    places = [after, None] if after is not None else [None]
    if sample is not None:
        places = [_spread(job_filter.range, sample), None]
    stands = _standing(queue, decided, by)
    for place in places:
        for keys in _list_candidates(databases, by, decided, queue, place, is_oldest_first, timeout):
            places_of = {key.job_id: key for key in keys if key.job_id != leaving}
            while (claimed := claim_first(databases.ours, by, list(places_of), stands)) is not None:
                found = places_of.pop(claimed)
                if _is_open(databases.ours, stands, claimed):
                    end_turns(databases.ours, by, claimed)
                    return Turn(claimed, found)
                # Somebody was at it, has reviewed it and left it since the candidates were read.
                release_claim(databases.ours, by, claimed)
    return None


def narrow_to_decided(job_filter: JobFilter) -> JobFilter | None:
    """Narrow a filter to decided jobs; None where it means none."""
    wanted = tuple(item for item in (Decision.REJECT, Decision.PASS) if item in (job_filter.decision or Decision))
    return replace(job_filter, decision=wanted) if wanted else None


def find_longest_waiting(
    databases: Databases, by: Actor, decided: JobFilter, queue: Queue, *, timeout: float
) -> datetime | None:
    """Return since when the job waits that has waited longest, whoever is at it, or None where there is none."""
    batches = _list_candidates(databases, by, decided, queue, None, True, timeout)
    return next((keys[0].created_at for keys in batches if keys), None)


def _list_candidates(
    databases: Databases,
    by: Actor,
    decided: JobFilter,
    queue: Queue,
    after: PageKey | None,
    is_oldest_first: bool | None,
    timeout: float | None,
) -> Iterator[list[PageKey]]:
    if queue is Queue.NEW:
        return _new_candidates(databases, by, decided, after, is_oldest_first is not True, timeout)
    return _open_candidates(databases, by, decided, queue, after, is_oldest_first is False, timeout)


def _new_candidates(
    databases: Databases,
    by: Actor,
    decided: JobFilter,
    after: PageKey | None,
    is_newest_first: bool,
    timeout: float | None,
) -> Iterator[list[PageKey]]:
    """Read the jobs of a filter that nobody has reviewed, a batch at a time."""
    access, looked_at, limit = make_access(databases, by.wall), 0, BATCH
    while looked_at < MOST_CANDIDATES:
        with databases.source.transaction(timeout=timeout, is_snapshot=True) as connection:
            keys, following = list_keys(
                connection, decided, access, after=after, limit=limit, is_newest_first=is_newest_first
            )
        reviewed = find_reviewed(databases.ours, [key.job_id for key in keys])
        yield [key for key in keys if key.job_id not in reviewed]
        if following is None:
            return
        looked_at, after, limit = looked_at + len(keys), following, min(LARGEST_BATCH, 2 * limit)
    which, days = ("newest", "earlier") if is_newest_first else ("oldest", "later")
    raise QueryTooSlow(
        f"The {looked_at:,} {which} of these jobs are reviewed or taken: choose {days} days, or other jobs."
    )


def _open_candidates(
    databases: Databases,
    by: Actor,
    decided: JobFilter,
    queue: Queue,
    after: PageKey | None,
    is_newest_first: bool,
    timeout: float | None,
) -> Iterator[list[PageKey]]:
    """Read the reviewed jobs of a queue that a filter means, a batch at a time, by the time since when they wait."""
    access = make_access(databases, by.wall)
    while True:
        with databases.ours.transaction(timeout=timeout) as connection:
            query = _open_query(queue, decided, by, after, is_newest_first=is_newest_first)
            keys = [PageKey(since, job_id) for since, job_id in connection.execute(query)]
        if not keys:
            return
        # What reviews remember of a job is not all that a filter may ask for, and may be another decision than today's.
        with databases.source.transaction(timeout=timeout) as connection:
            meant = find_matching(connection, decided, access, [key.job_id for key in keys])
        yield [key for key in keys if key.job_id in meant]
        after = keys[-1]


def list_waiting(
    database: Database, queue: Queue, job_filter: JobFilter, by: Actor, *, limit: int, timeout: float
) -> list[UUID]:
    """List the reviewed jobs that may wait in a queue for a person, whoever is at them: the source knows the rest."""
    query = _open_query(queue, job_filter, by, None).limit(limit)
    with database.transaction(timeout=timeout) as connection:
        return [job_id for _, job_id in connection.execute(query)]


def list_reviewed(database: Database, job_filter: JobFilter, by: Actor, *, limit: int, timeout: float) -> list[UUID]:
    """List the jobs of a filter's range and client that somebody has reviewed."""
    query = select(reviews.c.job_id).where(*_remembered(job_filter, by)).distinct().limit(limit)
    with database.transaction(timeout=timeout) as connection:
        return list(connection.execute(query).scalars())


def _standing(queue: Queue, job_filter: JobFilter, by: Actor) -> Standing:
    """Build the condition under which a job, now that somebody is to have it, still stands in a queue for them."""

    def stands(job_id: ColumnElement[UUID]) -> ColumnElement[bool]:
        if queue is Queue.NEW:
            return ~exists().where(reviews.c.job_id == job_id, COUNTS)
        return _open_query(queue, job_filter, by, None).where(reviews.c.job_id == job_id).exists()

    return stands


def _is_open(database: Database, stands: Standing, job_id: UUID) -> bool:
    with database.transaction() as connection:
        return bool(connection.execute(select(stands(literal(job_id)))).scalar_one())


def _open_query(
    queue: Queue, job_filter: JobFilter, by: Actor, after: PageKey | None, *, is_newest_first: bool = False
) -> Select[Any]:
    """Build the query of the jobs of a queue that the person has not reviewed, with the time since when they wait."""
    since = func.min(reviews.c.reviewed_at)
    query = (
        select(since.label("since"), reviews.c.job_id)
        .where(*_remembered(job_filter, by))
        .group_by(reviews.c.job_id)
        .having(not_(func.bool_or(reviews.c.person == by.name)), _belongs(queue, by))
        .limit(BATCH)
    )
    place = tuple_(since, reviews.c.job_id)
    query = (
        query.order_by(since.desc(), reviews.c.job_id.desc())
        if is_newest_first
        else query.order_by(since, reviews.c.job_id)
    )
    if after is None:
        return query
    bound = tuple_(literal(after.created_at), literal(after.job_id))
    return query.having(place < bound if is_newest_first else place > bound)


def _remembered(job_filter: JobFilter, by: Actor) -> list[ColumnElement[bool]]:
    """Build the condition under which a current verdict is on a job of a filter, as far as it remembers its job."""
    return [
        COUNTS,
        reviews.c.job_created_at >= job_filter.range.start,
        reviews.c.job_created_at < job_filter.range.end,
        *of_clients(reviews.c.client_id, by.wall, job_filter.client_id),
    ]


def _belongs(queue: Queue, by: Actor) -> ColumnElement[bool]:
    """Build the condition under which a job, told by its current reviews, stands in a queue for somebody."""
    if queue is not Queue.DISAGREED:
        return stands_in(queue)
    # Who has taken their own verdict back may have seen the others' and is not blind any more.
    earlier = reviews.alias("earlier")
    seen = exists().where(earlier.c.job_id == reviews.c.job_id, earlier.c.person == by.name)
    return and_(stands_in(queue), not_(seen))


def stands_in(queue: Queue) -> ColumnElement[bool]:
    """Build the condition under which a job, told by its current reviews, stands in a queue, whoever asks."""
    match queue:
        case Queue.SECOND:
            return func.count() == 1
        case Queue.DISAGREED:
            # As many for as against: one more decides. Who was not sure does not count.
            rejecting = func.count().filter(IS_FIRM, WOULD_REJECT)
            passing = func.count().filter(IS_FIRM, not_(WOULD_REJECT))
            return and_(rejecting == passing, rejecting > 0)
        case Queue.ESCALATED:
            escalated = func.max(reviews.c.reviewed_at).filter(reviews.c.verdict == Verdict.ESCALATE.value)
            settled = func.max(reviews.c.reviewed_at).filter(IS_FIRM)
            # Who looks at it and says what is right settles it.
            return and_(escalated.is_not(None), or_(settled.is_(None), settled < escalated))
        case Queue.NEW:
            raise AssertionError("jobs without reviews are not found in the reviews")


def _spread(bounds: DateRange, number: int) -> PageKey:
    """Return the place of a turn in a sample: van der Corput's sequence, whose every beginning is spread evenly."""
    share, weight, rest = 0.0, 0.5, number
    while rest:
        share += weight * (rest & 1)
        rest, weight = rest >> 1, weight / 2
    # From the newest backwards, as the list is; what is yet to come holds no jobs.
    end = max(bounds.start, min(bounds.end, datetime.now(UTC)))
    return PageKey(end - (end - bounds.start) * share, _GREATEST_ID)
