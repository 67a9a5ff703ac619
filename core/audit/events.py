"""The audit: an append-only chain of events, each hashed together with the one before it."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, func, insert, select, text

from core.actor import Actor
from core.audit.chain import GENESIS, chain_hash
from core.db.databases import Databases
from core.db.schema import audit_events

# What a text or a jsonb of PostgreSQL cannot hold: NUL, and halves of surrogates, which are no UTF-8.
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")


class Event(StrEnum):
    """What somebody did. `details` never hold a prompt, a reason, a key, a ticket or a cookie."""

    SIGNED_IN = "signed-in"
    SIGNED_OUT = "signed-out"
    REFUSED = "refused"
    JOBS_LISTED = "jobs-listed"
    JOB_OPENED = "job-opened"
    PROMPT_REVEALED = "prompt-revealed"
    CATEGORIES_VIEWED = "categories-viewed"
    EXPORT_STARTED = "export-started"
    EXPORT_FINISHED = "export-finished"
    EXPORT_REFUSED = "export-refused"
    KEY_CREATED = "key-created"
    KEY_ROTATED = "key-rotated"
    KEY_REVOKED = "key-revoked"
    AUDIT_LISTED = "audit-listed"
    AUDIT_EXPORTED = "audit-exported"
    JOBS_IMPORTED = "jobs-imported"
    REVIEWED = "reviewed"
    REVIEW_TAKEN_BACK = "review-taken-back"
    REVIEWS_EXPORTED = "reviews-exported"


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

    The chain is locked until the transaction ends: append as late in it as possible, and lock no other row after it.
    Values of `details` are text, whole numbers, booleans, null, and lists and objects of these. What PostgreSQL cannot
    hold of a text (NUL, halves of surrogates) is replaced, because nobody may escape the record by sending it.
    """
    # Each statement sees what was committed before it (sessions are READ COMMITTED, see core/db/database.py), so the
    # last event is read after the wait for the lock; a row lock would not do, because it takes the right to UPDATE.
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
        "actor": _storable(actor.name),
        "address": _storable(actor.address),
        "remote_address": _storable(actor.remote_address),
        "subject": _storable(subject),
        "details": _storable(details or {}),
    }
    connection.execute(insert(audit_events).values(**values, hash=chain_hash(key, previous, values)))


def _storable(value: Any) -> Any:
    """Return a value as it will be read back from the table, to the byte of its canonical JSON.

    Numbers with a fraction are refused: `1.0` and `1` are the same to jsonb in some places and not in others.
    """
    match value:
        case None | bool() | int():
            return value
        case str():
            return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)
        case list() | tuple():
            return [_storable(item) for item in value]
        case Mapping():
            return {_storable(name): _storable(item) for name, item in value.items()}
        case _:
            raise TypeError(f"the audit takes no {type(value).__name__}")
