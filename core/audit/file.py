"""The audit as a CSV file."""

from contextlib import AbstractAsyncContextManager
from uuid import UUID

from sqlalchemy import Select, Text, cast, func, select

from core.actor import Actor
from core.audit.events import Event, record
from core.audit.filter import AuditFilter
from core.csv.format import guarded, instant
from core.csv.table_file import OwnFile, start_own_file
from core.db.databases import Databases
from core.db.folding import Folding
from core.db.schema import audit_events

COLUMNS = ("seq", "at", "event", "actor", "address", "remote_address", "subject", "details", "hash")


def start_audit_file(
    databases: Databases, audit_filter: AuditFilter, by: Actor, *, first_byte_timeout: float
) -> AbstractAsyncContextManager[OwnFile]:
    """Start a copy of the audit. The event of the copy is not in the file that it tells of."""

    def note(export_id: UUID) -> None:
        details = {"filter": audit_filter.to_params()}
        record(databases, Event.AUDIT_EXPORTED, by, subject=str(export_id), details=details)

    return start_own_file(
        databases.ours,
        "audit",
        COLUMNS,
        lambda: _file_query(audit_filter, databases.ours.folding()),
        note,
        first_byte_timeout=first_byte_timeout,
    )


def _file_query(audit_filter: AuditFilter, folding: Folding) -> Select[tuple[str, ...]]:
    """Select events as text. Much of it was typed by others, so what a spreadsheet could run gets its guard always."""
    texts = {
        "seq": cast(audit_events.c.seq, Text),
        "at": instant(audit_events.c.at),
        **{name: guarded(audit_events.c[name]) for name in ("event", "actor", "address", "remote_address", "subject")},
        "details": cast(audit_events.c.details, Text),
        "hash": func.encode(audit_events.c.hash, "hex"),
    }
    query = select(*(texts[name].label(name) for name in COLUMNS)).where(*audit_filter.conditions(folding))
    # Time never goes back in the chain; so the index that serves the days serves the order.
    return query.order_by(audit_events.c.at, audit_events.c.seq)
