"""The audit: an append-only chain of events, each hashed together with the one before it."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, func, insert, select, text

from core.access import Actor
from core.database import Databases
from core.filters import print_exact
from core.schema import audit_events

# What stands before the first event in place of a hash.
GENESIS = bytes(32)


class Event(StrEnum):
    """What somebody did. `details` never hold a prompt, a reason, a key, a ticket or a cookie."""

    SIGNED_IN = "signed-in"
    SIGNED_OUT = "signed-out"
    REFUSED = "refused"
    JOBS_LISTED = "jobs-listed"
    JOB_OPENED = "job-opened"
    PROMPT_REVEALED = "prompt-revealed"
    EXPORT_STARTED = "export-started"
    EXPORT_FINISHED = "export-finished"
    EXPORT_REFUSED = "export-refused"
    KEY_CREATED = "key-created"
    KEY_ROTATED = "key-rotated"
    KEY_REVOKED = "key-revoked"


def record(
    databases: Databases,
    event: Event,
    actor: Actor,
    *,
    subject: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Commit an event in a transaction of its own. Who is to be shown something is shown it only afterwards."""
    with databases.ours.transaction() as connection:
        append(connection, databases.audit_key, event, actor, subject=subject, details=details)


def append(
    connection: Connection,
    key: bytes | None,
    event: Event,
    actor: Actor,
    *,
    subject: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Add an event to a transaction, so that what it tells of is committed with it or not at all.

    The chain is locked until the transaction ends: append as late in it as possible. Values of `details` are text,
    whole numbers, booleans, null, and lists and objects of these.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('fencepost audit', 0))"))
    last = (
        select(audit_events.c.seq, audit_events.c.at, audit_events.c.hash)
        .order_by(audit_events.c.seq.desc())
        .limit(1)
        .subquery()
    )
    now = select(func.clock_timestamp().label("now")).subquery()
    # A clock that was set back does not make the record go back.
    row = connection.execute(
        select(func.greatest(now.c.now, last.c.at), last.c.seq, last.c.hash).select_from(
            now.outerjoin(last, text("true"))
        )
    ).one()
    at, seq, previous = row[0], (row[1] or 0) + 1, bytes(row[2]) if row[2] is not None else GENESIS
    values = {
        "seq": seq,
        "at": at,
        "event": event.value,
        "actor": actor.name,
        "address": actor.address,
        "remote_address": actor.remote_address,
        "subject": subject,
        "details": dict(details or {}),
    }
    connection.execute(insert(audit_events).values(**values, hash=chain_hash(key, previous, values)))


def chain_hash(key: bytes | None, previous: bytes, values: Mapping[str, Any]) -> bytes:
    """Hash an event: HMAC-SHA256(key, previous hash ‖ canonical JSON), or without a key plain SHA-256 of the same.

    Canonical: the members in the order of their names, no spaces, UTF-8, times in UTC with microseconds.
    """
    canonical = json.dumps(
        {name: print_exact(value) if isinstance(value, datetime) else value for name, value in values.items()},
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    ).encode()
    if key is None:
        return hashlib.sha256(previous + canonical).digest()
    return hmac.digest(key, previous + canonical, "sha256")
