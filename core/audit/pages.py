"""The list of the audit's events, newest first, a page at a time."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, literal, select, tuple_

from core.audit.filter import AuditFilter
from core.db.folding import Folding
from core.db.schema import audit_events

_START, _END = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)

_ORDER = (audit_events.c.at, audit_events.c.seq)


@dataclass(frozen=True, slots=True)
class EventKey:
    """A place between two events."""

    at: datetime
    seq: int


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events in the order newest first, and the key after which the next page begins (None: there is none)."""

    rows: list[Row[Any]]
    next: EventKey | None


def page_events(
    connection: Connection, audit_filter: AuditFilter, folding: Folding, *, after: EventKey | None, limit: int
) -> EventPage:
    """Read a page of at most `limit` events that come after a key."""
    found = list(connection.execute(events_query(audit_filter, folding, after=after, limit=limit + 1)))
    rows = found[:limit]
    return EventPage(rows, EventKey(rows[-1].at, rows[-1].seq) if len(found) > limit else None)


def events_query(audit_filter: AuditFilter, folding: Folding, *, after: EventKey | None, limit: int) -> Select[Any]:
    """Build the query of a page.

    It is ordered by time, which never goes back in the chain, so that the index that serves the days serves the order.
    """
    columns = [column for column in audit_events.c if column.name not in ("hash", "key_id")]
    # A time that is none of ours, such as `infinity`, is found by `core audit verify`; Python has no such time.
    query = select(*columns).where(*audit_filter.conditions(folding), audit_events.c.at.between(_START, _END))
    if after is not None:
        # The plain bound is where the index scan begins; by the whole key it only filters.
        query = query.where(audit_events.c.at < after.at + timedelta(microseconds=1))
        query = query.where(tuple_(*_ORDER) < tuple_(literal(after.at), literal(after.seq)))
    return query.order_by(*(column.desc() for column in _ORDER)).limit(limit)
