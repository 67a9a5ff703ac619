"""The outbox: what is to be told is written in the transaction of what has happened: neither is without the other."""

from collections.abc import Sequence
from uuid import uuid4

from sqlalchemy import Connection, insert, select

from core.db.schema import webhook_deliveries, webhook_endpoints
from core.webhooks.events import Message


def put_out(connection: Connection, messages: Sequence[Message]) -> None:
    """Add messages to a transaction, one for each endpoint that wants it. A client's endpoint hears of no other's jobs.

    A paused endpoint's messages wait until it is resumed.
    """
    if not messages:
        return
    wanted = webhook_endpoints.c.events.overlap(sorted({message.event.value for message in messages}))
    query = select(webhook_endpoints.c.endpoint_id, webhook_endpoints.c.client_id, webhook_endpoints.c.events)
    endpoints = connection.execute(query.where(webhook_endpoints.c.removed_at.is_(None), wanted)).all()
    rows = [
        {
            "endpoint_id": endpoint.endpoint_id,
            "message_id": f"msg_{uuid4().hex}",
            "event": message.event.value,
            "body": message.to_body(),
        }
        for message in messages
        for endpoint in endpoints
        if message.event.value in endpoint.events and endpoint.client_id in (None, message.client_id)
    ]
    if rows:
        connection.execute(insert(webhook_deliveries), rows)
