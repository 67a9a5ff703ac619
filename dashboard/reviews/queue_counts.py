"""How many jobs wait in each queue: counted as far as is worth knowing, and only while that takes no time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from core.actor import Actor
from core.counts.by_day import count_in_time
from core.errors import QueryTooSlow
from core.jobs.access import make_access
from core.jobs.filter import JobFilter
from core.jobs.query import find_matching
from core.review.queues import Queue, find_longest_waiting, list_reviewed, list_waiting, narrow_to_decided
from core.review.saved_queues import filter_now, read_pace, read_settings
from dashboard.session.resources import Resources

# Jobs that are counted, and reviewed ones that are looked up for it.
MOST_COUNTED = 1_000
MOST_REVIEWED = 20_000

# Seconds for each look; what takes longer is not said.
TIMEOUT = 0.5

# Seconds after which no further shared queue is looked at.
LONGEST = 3


@dataclass(frozen=True, slots=True)
class Count:
    """How many jobs; at least so many where it is not exact."""

    jobs: int
    is_exact: bool = True

    def __str__(self) -> str:
        return f"{self.jobs:,}" if self.is_exact else f"{self.jobs:,}+"


@dataclass(frozen=True, slots=True)
class Held:
    """What a queue holds; of a shared one also since when the oldest job waits, and the verdicts of the last 7 days."""

    count: Count | None
    since: datetime | None = None
    lately: int | None = None


def count_saved(
    resources: Resources, person: Actor, saved: Sequence[Row[Any]], now: datetime
) -> dict[Queue | UUID, Held]:
    """Tell what shared queues hold for a person, in their order, as far as that is quick; the rest is not there."""
    began = monotonic()
    found: dict[Queue | UUID, Held] = {}
    lately = read_pace(resources.databases, person.wall, [queue.queue_id for queue in saved])
    for queue in saved:
        if monotonic() - began > LONGEST:
            break
        settings = read_settings(queue)
        decided = narrow_to_decided(filter_now(settings, now))
        count = Count(0) if decided is None else _count(resources, person, decided, settings.kind)
        since = None
        if decided is not None and count != Count(0):
            since = _find_oldest(resources, person, decided, settings.kind)
        found[queue.queue_id] = Held(count, since, lately.get(queue.queue_id, 0))
    return found


def _find_oldest(resources: Resources, person: Actor, decided: JobFilter, queue: Queue) -> datetime | None:
    try:
        return find_longest_waiting(resources.databases, person, decided, queue, timeout=TIMEOUT)
    except QueryTooSlow:
        return None


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
    with databases.source.transaction(timeout=TIMEOUT, is_snapshot=True) as connection:
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
