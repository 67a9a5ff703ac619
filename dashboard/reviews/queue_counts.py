"""How many jobs wait in each queue: counted as far as is worth knowing, and only while that takes no time."""

from dataclasses import dataclass

from core.actor import Actor
from core.counts.by_day import count_in_time
from core.errors import QueryTooSlow
from core.jobs.access import make_access
from core.jobs.filter import JobFilter
from core.jobs.query import find_matching
from core.review.queues import Queue, list_reviewed, list_waiting, narrow_to_decided
from dashboard.session.resources import Resources

# Jobs that are counted, and reviewed ones that are looked up for it.
MOST_COUNTED = 1_000
MOST_REVIEWED = 20_000

# Seconds for each look; what takes longer is not said.
TIMEOUT = 0.5


@dataclass(frozen=True, slots=True)
class Count:
    """How many jobs; at least so many where it is not exact."""

    jobs: int
    is_exact: bool = True

    def __str__(self) -> str:
        return f"{self.jobs:,}" if self.is_exact else f"{self.jobs:,}+"


def count_queues(resources: Resources, person: Actor, job_filter: JobFilter) -> dict[Queue, Count | None]:
    """Count what each queue holds for a person, jobs that others are at included; None where that takes too long."""
    decided = narrow_to_decided(job_filter)
    if decided is None:
        return dict.fromkeys(Queue, Count(0))
    return {queue: _count(resources, person, decided, queue) for queue in Queue}


def _count(resources: Resources, person: Actor, decided: JobFilter, queue: Queue) -> Count | None:
    try:
        if queue is Queue.NEW:
            return _count_new(resources, person, decided)
        return _count_waiting(resources, person, decided, queue)
    except QueryTooSlow:
        return None


def _count_new(resources: Resources, person: Actor, decided: JobFilter) -> Count | None:
    databases = resources.databases
    reviewed = list_reviewed(databases.ours, decided, person, limit=MOST_REVIEWED + 1, timeout=TIMEOUT)
    if len(reviewed) > MOST_REVIEWED:
        return None
    access = make_access(databases, person.wall)
    with databases.source.transaction(timeout=TIMEOUT) as connection:
        done = len(find_matching(connection, decided, access, reviewed)) if reviewed else 0
        found = count_in_time(connection, decided, access, limit=done + MOST_COUNTED + 1)
    if found is None:
        return None
    return Count(min(MOST_COUNTED, found - done), is_exact=found - done <= MOST_COUNTED)


def _count_waiting(resources: Resources, person: Actor, decided: JobFilter, queue: Queue) -> Count:
    databases = resources.databases
    waiting = list_waiting(databases.ours, queue, decided, person, limit=MOST_COUNTED + 1, timeout=TIMEOUT)
    if not waiting:
        return Count(0)
    with databases.source.transaction(timeout=TIMEOUT) as connection:
        found = len(find_matching(connection, decided, make_access(databases, person.wall), waiting))
    return Count(min(MOST_COUNTED, found), is_exact=len(waiting) <= MOST_COUNTED)
