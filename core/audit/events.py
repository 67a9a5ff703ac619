"""The audit: an append-only chain of events, each hashed together with the one before it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from core.actor import Actor
from core.audit.chain import GENESIS, chain_hash, name_key
from core.characters import make_storable
from core.db.databases import Databases

# The first waits until whoever is appending has ended; the second refuses another number or time than the first gave,
# and an event without a key after one with a key (see the migration fencepost_0010).
_BEGIN = text("SELECT seq, at, previous FROM audit_begin()")
_APPEND = text(
    "SELECT audit_append(:seq, :at, :event, :actor, :address, :remote_address, :subject, :details, :key_id, :hash)"
).bindparams(bindparam("details", type_=JSONB))


class Event(StrEnum):
    """What somebody did. `details` never hold a prompt, a reason that may quote one, a key, a ticket or a cookie."""

    SIGNED_IN = "signed-in"
    SIGNED_OUT = "signed-out"
    SESSION_ENDED = "session-ended"
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
    AUDIT_CUT = "audit-cut"
    JOBS_ERASED = "jobs-erased"
    HOLD_PLACED = "hold-placed"
    HOLD_ENDED = "hold-ended"
    JOBS_IMPORTED = "jobs-imported"
    REVIEWED = "reviewed"
    REVIEW_TAKEN_BACK = "review-taken-back"
    REVIEWS_EXPORTED = "reviews-exported"
    RIGHTS_GIVEN = "rights-given"
    RIGHTS_TAKEN = "rights-taken"
    REASON_MARKED = "reason-marked"
    REASON_UNMARKED = "reason-unmarked"
    POLICY_WRITTEN = "policy-written"
    POLICY_RECOUNTED = "policy-recounted"
    QUEUE_SAVED = "queue-saved"
    QUEUE_EDITED = "queue-edited"
    QUEUE_CLOSED = "queue-closed"
    SAMPLE_DRAWN = "sample-drawn"
    SAMPLE_EDITED = "sample-edited"
    SAMPLE_EXPORTED = "sample-exported"
    QUALITY_VIEWED = "quality-viewed"
    KNOWN_SHARE_SET = "known-share-set"
    WEBHOOK_CREATED = "webhook-created"
    WEBHOOK_PAUSED = "webhook-paused"
    WEBHOOK_RESUMED = "webhook-resumed"
    WEBHOOK_REMOVED = "webhook-removed"
    WEBHOOK_SENT_AGAIN = "webhook-sent-again"


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
    due = connection.execute(_BEGIN).one()
    previous = GENESIS if due.previous is None else bytes(due.previous)
    values = {
        "seq": due.seq,
        "at": due.at,
        "event": event.value,
        "actor": _storable(actor.name),
        "address": _storable(actor.address),
        "remote_address": _storable(actor.remote_address),
        "subject": _storable(subject),
        "details": _storable(details or {}),
        "key_id": None if key is None else name_key(key),
    }
    connection.execute(_APPEND, values | {"hash": chain_hash(key, previous, values)})


def _storable(value: Any) -> Any:
    """Return a value as it will be read back from the table, to the byte of its canonical JSON.

    Numbers with a fraction are refused: `1.0` and `1` are the same to jsonb in some places and not in others.
    """
    match value:
        case None | bool() | int():
            return value
        case str():
            return make_storable(value)
        case list() | tuple():
            return [_storable(item) for item in value]
        case Mapping():
            return {_storable(name): _storable(item) for name, item in value.items()}
        case _:
            raise TypeError(f"the audit takes no {type(value).__name__}")
