"""Cutting the audit: its oldest rows go, and a row at its end says so and carries their last hash on.

So the chain stays one that can be checked: what is left continues the hash that the cut names, and the cut is a row of
the chain like any other, signed where there is a key. The database removes nothing that no such row names (see the
migration fencepost_0021).
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, select

from core.actor import Actor
from core.audit.chain import FIRST_IMPOSSIBLE, Head
from core.audit.events import Event, append
from core.audit.verification import check_beginning
from core.db.databases import Databases
from core.db.schema import audit_events
from core.instants import print_instant

# Rows that are removed in one transaction, in which nobody else can append.
AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Cut:
    """What a cut removes: so many rows, up to one whose number and hash are those of `last`."""

    rows: int
    last: Head


def find_cut(connection: Connection, before: datetime, *, most: int | None = None) -> Cut | None:
    """Find what is older than an instant, the oldest `most` rows of it, or None where there is nothing to cut."""
    seq, at = audit_events.c.seq, audit_events.c.at
    ours = seq < FIRST_IMPOSSIBLE
    first, end = connection.execute(select(func.min(seq), func.max(seq) + 1).where(ours)).one()
    if first is None:
        return None
    # Time never goes back in the chain: what comes before the first row that stays is old.
    kept = connection.execute(select(seq).where(ours, at >= before).order_by(at, seq).limit(1)).scalar()
    through = (end if kept is None else kept) - 1
    if most is not None:
        through = min(through, first + most - 1)
    last = select(seq, audit_events.c.hash).where(seq <= through).order_by(seq.desc()).limit(1)
    row = connection.execute(last).one_or_none()
    if row is None:
        return None
    rows = connection.execute(select(func.count()).where(seq <= row.seq)).scalar_one()
    return Cut(rows, Head(row.seq, bytes(row.hash)))


def cut_audit(connection: Connection, databases: Databases, by: Actor, before: datetime) -> int:
    """Remove rows that are older than an instant in a transaction, at most `AT_ONCE`; return how many there were.

    Raises `NotPossible`, and removes nothing, where one of them is not as it was recorded.
    """
    cut = find_cut(connection, before, most=AT_ONCE)
    if cut is None:
        return 0
    # What is gone can never be checked again, nor can it be said any more that it was broken.
    check_beginning(connection, databases, cut.last.seq)
    details = {
        "before": print_instant(before),
        "rows": cut.rows,
        "through": cut.last.seq,
        "hash": cut.last.hash.hex(),
    }
    append(connection, databases.audit_key, Event.AUDIT_CUT, by, details=details)
    connection.execute(delete(audit_events).where(audit_events.c.seq <= cut.last.seq))
    return cut.rows
