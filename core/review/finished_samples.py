"""Samples that are finished: by whoever gives the last opinion, in the transaction of their verdict."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, and_, func, select, update

from core.db.schema import reviews, sample_jobs, samples
from core.policy.outdated import COUNTS
from core.webhooks.events import Message, WebhookEvent
from core.webhooks.outbox import put_out

# The jobs of a sample that have fewer opinions than they are to get.
_given = select(func.count()).where(reviews.c.job_id == sample_jobs.c.job_id, COUNTS).scalar_subquery()
LACKS_OPINIONS = and_(sample_jobs.c.sample_id == samples.c.sample_id, _given < samples.c.opinions)


def finish_judged(connection: Connection, ids: Sequence[UUID]) -> None:
    """Finish those samples of some jobs that have all their opinions now."""
    of_these = select(sample_jobs.c.sample_id).where(sample_jobs.c.job_id == func.any(list(ids)))
    # Locked, so that of the last two people the second one counts what the first has said.
    held = select(samples.c.sample_id).where(samples.c.finished_at.is_(None), samples.c.sample_id.in_(of_these))
    found = connection.execute(held.order_by(samples.c.sample_id).with_for_update(of=samples)).scalars().all()
    if not found:
        return
    lacking = select(sample_jobs.c.job_id).where(LACKS_OPINIONS).exists()
    complete = select(samples.c.sample_id).where(samples.c.sample_id.in_(found), ~lacking)
    finish(connection, connection.execute(complete).scalars().all())


def finish(connection: Connection, ids: Sequence[UUID]) -> None:
    """Note that samples are finished, and tell it once, whoever finds it out."""
    if not ids:
        return
    finished = (
        update(samples)
        .where(samples.c.sample_id.in_(ids), samples.c.finished_at.is_(None))
        .values(finished_at=func.clock_timestamp())
        .returning(samples)
    )
    put_out(connection, [_tell(row) for row in connection.execute(finished)])


def _tell(row: Row[Any]) -> Message:
    data = {name: row._mapping[name] for name in ("sample_id", "drawn_at", "finished_at")}
    # A client's service hears of the samples of its own jobs alone.
    clients = row.clients or []
    return Message(WebhookEvent.SAMPLE_FINISHED, clients[0] if len(clients) == 1 else None, data)
