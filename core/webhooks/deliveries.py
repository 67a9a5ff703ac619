"""Messages on their way: which are due, who sends one now, what became of it, and when it is tried again."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, case, delete, func, literal, select, update

from core.actor import Actor
from core.audit.events import Event, append
from core.db.database import Database
from core.db.databases import Databases
from core.db.schema import webhook_deliveries, webhook_endpoints
from core.errors import NotPossible
from core.metrics.registry import WEBHOOKS
from core.webhooks.answer import Answer
from core.webhooks.endpoints import check_admin

# What is waited after each failed attempt, as Standard Webhooks proposes: three days and a bit in all.
_SECONDS, _MINUTES, _HOURS = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
PAUSES = (
    *(5 * _SECONDS, 5 * _MINUTES, 30 * _MINUTES),
    *(hours * _HOURS for hours in (2, 5, 10, 14, 20, 24)),
)
MOST_ATTEMPTS = len(PAUSES) + 1

# How much longer a pause may be, by chance, so that not all come back at once.
JITTER = 0.2

# The longest that an endpoint may ask to be left alone.
LONGEST_WAIT = timedelta(hours=24)

# How long what has arrived, or was given up, is listed.
KEPT = timedelta(days=30)


class State(StrEnum):
    """What became of a message."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given up"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that nobody else sends for a while, and where to."""

    delivery_id: int
    endpoint_id: UUID
    url: str
    secret: str
    message_id: str
    event: str
    body: str
    attempts: int


_is_open = and_(webhook_deliveries.c.delivered_at.is_(None), webhook_deliveries.c.given_up_at.is_(None))
_is_served = and_(webhook_endpoints.c.paused_at.is_(None), webhook_endpoints.c.removed_at.is_(None))
_joined = webhook_deliveries.join(
    webhook_endpoints, webhook_endpoints.c.endpoint_id == webhook_deliveries.c.endpoint_id
)
_state = case(
    (webhook_deliveries.c.delivered_at.is_not(None), State.DELIVERED.value),
    (webhook_deliveries.c.given_up_at.is_not(None), State.GIVEN_UP.value),
    else_=State.WAITING.value,
)


def list_due(database: Database) -> list[UUID]:
    """List the endpoints for which something is due."""
    due = and_(
        webhook_deliveries.c.endpoint_id == webhook_endpoints.c.endpoint_id,
        _is_open,
        webhook_deliveries.c.due_at <= func.now(),
    )
    query = select(webhook_endpoints.c.endpoint_id).where(
        _is_served, select(literal(1)).select_from(webhook_deliveries).where(due).exists()
    )
    with database.transaction() as connection:
        return list(connection.execute(query).scalars())


def claim_due(database: Database, endpoint_id: UUID, *, lease: float) -> Claimed | None:
    """Take the message of an endpoint that is due longest, or return None.

    For `lease` seconds nobody else takes it. Whoever dies meanwhile has perhaps sent it: it comes again, with its id.
    """
    first = (
        select(webhook_deliveries.c.delivery_id)
        .select_from(_joined)
        .where(
            webhook_deliveries.c.endpoint_id == endpoint_id,
            _is_served,
            _is_open,
            webhook_deliveries.c.due_at <= func.now(),
        )
        .order_by(webhook_deliveries.c.due_at, webhook_deliveries.c.delivery_id)
        .limit(1)
        .with_for_update(of=webhook_deliveries, skip_locked=True)
        .scalar_subquery()
    )
    taken = (
        update(webhook_deliveries)
        .where(
            webhook_deliveries.c.delivery_id == first,
            webhook_endpoints.c.endpoint_id == webhook_deliveries.c.endpoint_id,
        )
        .values(attempts=webhook_deliveries.c.attempts + 1, due_at=func.now() + timedelta(seconds=lease))
        .returning(
            webhook_deliveries.c.delivery_id,
            webhook_deliveries.c.endpoint_id,
            webhook_endpoints.c.url,
            webhook_endpoints.c.secret,
            webhook_deliveries.c.message_id,
            webhook_deliveries.c.event,
            webhook_deliveries.c.body,
            webhook_deliveries.c.attempts,
        )
    )
    with database.transaction() as connection:
        row = connection.execute(taken).one_or_none()
    return None if row is None else Claimed(*row)


def note_answer(database: Database, sent: Claimed, answer: Answer) -> State:
    """Note what became of an attempt, and return what the message is now."""
    values: dict[str, Any] = {"last_status": answer.status, "last_error": answer.error}
    is_it: ColumnElement[bool] = and_(webhook_deliveries.c.delivery_id == sent.delivery_id, _is_open)
    if answer.error is None:
        state, outcome = State.DELIVERED, "delivered"
        values["delivered_at"] = func.now()
    else:
        # Somebody else may have it by now, where this took very long.
        is_it = and_(is_it, webhook_deliveries.c.attempts == sent.attempts)
        if sent.attempts >= MOST_ATTEMPTS:
            state, outcome = State.GIVEN_UP, "given up"
            values["given_up_at"] = func.now()
        else:
            state, outcome = State.WAITING, "failed"
            values["due_at"] = func.now() + pause_after(sent.attempts, answer.retry_after)
    with database.transaction() as connection:
        connection.execute(update(webhook_deliveries).where(is_it).values(values))
    WEBHOOKS.labels(sent.event, outcome).inc()
    return state


def pause_after(attempts: int, retry_after: float = 0) -> timedelta:
    """Return how long to wait after so many attempts, a little by chance; as long as was asked for, within a day."""
    pause = PAUSES[min(attempts, len(PAUSES)) - 1]
    # Spreads requests, and keeps no secret.
    pause *= 1 + JITTER * random.random()  # noqa: S311
    return max(pause, timedelta(seconds=min(retry_after, LONGEST_WAIT.total_seconds())))


def list_deliveries(database: Database, *, limit: int) -> list[Row[Any]]:
    """List the latest messages to endpoints that are not removed, the newest first, each with `url` and `state`."""
    query = (
        select(webhook_deliveries, webhook_endpoints.c.url, webhook_endpoints.c.paused_at, _state.label("state"))
        .select_from(_joined)
        .where(webhook_endpoints.c.removed_at.is_(None))
        .order_by(webhook_deliveries.c.delivery_id.desc())
        .limit(limit)
    )
    with database.transaction() as connection:
        return list(connection.execute(query))


def send_again(databases: Databases, by: Actor, ids: Sequence[int]) -> int:
    """Let messages be due now, with all their attempts before them and the ids that they have; return how many.

    Raises `Forbidden`, and `NotPossible` where none is there any more.
    """
    check_admin(by)
    fresh = {"attempts": 0, "due_at": func.now(), "delivered_at": None, "given_up_at": None}
    again = (
        update(webhook_deliveries)
        .where(
            webhook_deliveries.c.delivery_id == func.any(list(ids)),
            webhook_endpoints.c.endpoint_id == webhook_deliveries.c.endpoint_id,
            webhook_endpoints.c.removed_at.is_(None),
        )
        .values(fresh)
        .returning(webhook_deliveries.c.message_id)
    )
    with databases.ours.transaction() as connection:
        found = sorted(connection.execute(again).scalars())
        if not found:
            raise NotPossible("This message is not there any more: reload the page.")
        details = {"messages": len(found)}
        append(connection, databases.audit_key, Event.WEBHOOK_SENT_AGAIN, by, subject=found[0], details=details)
    return len(found)


def forget_old(database: Database) -> None:
    """Remove what has arrived or was given up long ago, and what waits for endpoints that were removed."""
    ended = func.coalesce(webhook_deliveries.c.delivered_at, webhook_deliveries.c.given_up_at)
    removed = select(webhook_endpoints.c.endpoint_id).where(webhook_endpoints.c.removed_at.is_not(None))
    with database.transaction() as connection:
        connection.execute(
            delete(webhook_deliveries).where(
                (ended < func.now() - KEPT) | webhook_deliveries.c.endpoint_id.in_(removed)
            )
        )
