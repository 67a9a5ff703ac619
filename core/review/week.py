"""Who did what in a week, by queue: what was said, and nothing of how quickly."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from core.actor import Actor, Forbidden, Scope
from core.db.databases import Databases
from core.db.schema import people, queues, reviews
from core.jobs.wall import of_clients
from core.review.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Work:
    """What one person said in one queue (None: elsewhere): how many verdicts of each kind count now."""

    person: str
    queue: str | None
    verdicts: Mapping[Verdict, int]


def list_work(databases: Databases, by: Actor, since: datetime, names: Mapping[UUID, str]) -> list[Work]:
    """List what everybody has said since then, by person and queue, in the order of the alphabet.

    `names` are those of what is no saved queue: of samples. Raises `Forbidden` for whoever is no admin.
    """
    if Scope.ADMIN_CONFIG not in by.scopes:
        raise Forbidden("Who did what is for administrators: ask one of them.")
    each: list[Any] = [
        func.count().filter(reviews.c.verdict == verdict.value).label(verdict.value) for verdict in Verdict
    ]
    person = func.coalesce(people.c.address, reviews.c.person)
    query = (
        select(person, reviews.c.queue_id, queues.c.name, *each)
        .select_from(
            reviews.outerjoin(people, people.c.person == reviews.c.person).outerjoin(
                queues, queues.c.queue_id == reviews.c.queue_id
            )
        )
        .where(
            reviews.c.superseded_at.is_(None),
            reviews.c.reviewed_at >= since,
            *of_clients(reviews.c.client_id, by.wall),
        )
        .group_by(person, reviews.c.queue_id, queues.c.name)
    )
    with databases.ours.transaction() as connection:
        rows = connection.execute(query).all()
    found = [
        Work(row[0], row.name or names.get(row.queue_id), {verdict: row._mapping[verdict.value] for verdict in Verdict})
        for row in rows
    ]
    return sorted(found, key=lambda work: (work.person.casefold(), work.queue is None, (work.queue or "").casefold()))
