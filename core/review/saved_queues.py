"""Queues that people share: a filter with a name, an owner, those who take part, an order, and what a verdict needs."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Connection, Row, and_, func, insert, or_, select, true, update

from core.actor import Actor, Forbidden, Scope
from core.audit.events import Event, append
from core.characters import make_storable
from core.db.databases import Databases
from core.db.schema import queues, reviews
from core.errors import InvalidParameter, NotPossible
from core.jobs.filter import LONGEST_RANGE, DateRange, JobFilter
from core.jobs.wall import Wall, of_clients
from core.policy.outdated import COUNTS
from core.review.participants import takes_part
from core.review.queues import Queue

LONGEST_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a queue is. `is_growing`: jobs that come after the filter's end belong to it, too.

    `people` None: everybody takes part. `last_day` is the one, of UTC, by which it is to be done; it goes on after it.
    """

    name: str
    job_filter: JobFilter
    is_growing: bool = False
    kind: Queue = Queue.NEW
    is_oldest_first: bool = False
    needs_note: bool = False
    needs_categories: bool = False
    last_day: date | None = None
    people: tuple[str, ...] | None = None


def save_queue(databases: Databases, by: Actor, settings: Settings) -> UUID:
    """Save a queue of one's own, with its event; return its id. Raises `InvalidParameter` for a name that cannot be."""
    queue_id, values = uuid4(), _values(settings)
    by.check_client(settings.job_filter)
    with databases.ours.transaction() as connection:
        row = values | {"queue_id": queue_id, "owner": by.name, "client_id": settings.job_filter.client_id}
        connection.execute(insert(queues).values(row))
        _append(connection, databases, Event.QUEUE_SAVED, by, queue_id, settings)
    return queue_id


def edit_queue(databases: Databases, by: Actor, queue_id: UUID, settings: Settings) -> None:
    """Change a queue, with its event. Raises `Forbidden` for whoever is neither owner nor admin, and `NotPossible`."""
    values = _values(settings) | {"client_id": settings.job_filter.client_id}
    by.check_client(settings.job_filter)
    with databases.ours.transaction() as connection:
        _check_open(connection, by, queue_id)
        connection.execute(update(queues).where(queues.c.queue_id == queue_id).values(values))
        _append(connection, databases, Event.QUEUE_EDITED, by, queue_id, settings)


def close_queue(databases: Databases, by: Actor, queue_id: UUID) -> None:
    """Close a queue, with its event; its verdicts stay. Raises as `edit_queue` does."""
    with databases.ours.transaction() as connection:
        _check_open(connection, by, queue_id)
        connection.execute(update(queues).where(queues.c.queue_id == queue_id).values(closed_at=func.now()))
        append(connection, databases.audit_key, Event.QUEUE_CLOSED, by, subject=str(queue_id))


def list_queues(databases: Databases, person: Actor) -> list[Row[Any]]:
    """List the open queues that a person may judge or change by name, those first that they own or that name them."""
    query = select(queues).where(queues.c.closed_at.is_(None), _may_be_seen(person.wall))
    with databases.ours.transaction() as connection:
        rows = connection.execute(query.order_by(func.lower(queues.c.name), queues.c.queue_id)).all()
    seen = [row for row in rows if may_judge(row, person) or may_change(row, person)]
    return sorted(seen, key=lambda row: not is_own(row, person))


def _may_be_seen(wall: Wall) -> ColumnElement[bool]:
    """Build the condition under which a queue may be seen: it is of no client alone that the wall hides.

    Of one that is of all clients everybody is given the jobs behind their own wall.
    """
    return or_(queues.c.client_id.is_(None), and_(true(), *of_clients(queues.c.client_id, wall)))


def find_queue(databases: Databases, person: Actor, queue_id: UUID) -> Row[Any] | None:
    """Return an open queue that a person may judge or change, or None."""
    return next((row for row in list_queues(databases, person) if row.queue_id == queue_id), None)


def is_own(queue: Row[Any], person: Actor) -> bool:
    """Tell whether somebody owns a queue or is named in it."""
    return bool(queue.owner == person.name or (queue.people is not None and person.name in queue.people))


def may_judge(queue: Row[Any], person: Actor) -> bool:
    return bool(queue.owner == person.name) or takes_part(queue, person)


def may_change(queue: Row[Any], person: Actor) -> bool:
    return bool(queue.owner == person.name) or Scope.ADMIN_CONFIG in person.scopes


def read_settings(queue: Row[Any]) -> Settings:
    """Return the settings of a saved queue."""
    return Settings(
        name=queue.name,
        job_filter=JobFilter.from_params(queue.filter.items()),
        is_growing=queue.is_growing,
        kind=Queue(queue.kind),
        is_oldest_first=queue.is_oldest_first,
        needs_note=queue.needs_note,
        needs_categories=queue.needs_categories,
        last_day=queue.last_day,
        people=None if queue.people is None else tuple(queue.people),
    )


def filter_now(settings: Settings, now: datetime) -> JobFilter:
    """Return which jobs a queue is of now: where it grows, up to the end of this day of UTC, and of a year at most."""
    job_filter = settings.job_filter
    end = datetime.combine(now.astimezone(UTC).date(), time(), UTC) + timedelta(days=1)
    if not settings.is_growing or end <= job_filter.range.end:
        return job_filter
    return replace(job_filter, range=DateRange(max(job_filter.range.start, end - LONGEST_RANGE), end))


def read_pace(databases: Databases, wall: Wall, ids: Collection[UUID]) -> dict[UUID, int]:
    """Return how many verdicts of the last seven days were given in each of some queues."""
    query = select(reviews.c.queue_id, func.count()).where(
        reviews.c.queue_id == func.any(list(ids)),
        COUNTS,
        reviews.c.reviewed_at > func.now() - timedelta(days=7),
        *of_clients(reviews.c.client_id, wall),
    )
    with databases.ours.transaction() as connection:
        return {row[0]: row[1] for row in connection.execute(query.group_by(reviews.c.queue_id))}


def _values(settings: Settings) -> dict[str, Any]:
    name = make_storable(settings.name).strip()
    if not 1 <= len(name) <= LONGEST_NAME:
        raise InvalidParameter(f"name is empty or longer than {LONGEST_NAME} characters: choose another one.")
    return {
        "name": name,
        "filter": replace(settings.job_filter, spreadsheet_safe=False).to_params(),
        "is_growing": settings.is_growing,
        "kind": settings.kind.value,
        "is_oldest_first": settings.is_oldest_first,
        "needs_note": settings.needs_note,
        "needs_categories": settings.needs_categories,
        "last_day": settings.last_day,
        "people": None if settings.people is None else list(settings.people),
    }


def _check_open(connection: Connection, by: Actor, queue_id: UUID) -> None:
    query = select(queues).where(queues.c.queue_id == queue_id, _may_be_seen(by.wall))
    row = connection.execute(query.with_for_update()).one_or_none()
    if row is None or row.closed_at is not None:
        raise NotPossible("This queue is closed: choose another one, or save a new one.")
    if not may_change(row, by):
        raise Forbidden("Only its owner and administrators change a queue: ask one of them.")


def _append(
    connection: Connection, databases: Databases, event: Event, by: Actor, queue_id: UUID, settings: Settings
) -> None:
    values = _values(settings)
    details = values | {"last_day": None if settings.last_day is None else settings.last_day.isoformat()}
    append(connection, databases.audit_key, event, by, subject=str(queue_id), details=details)
