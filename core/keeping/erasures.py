"""What was erased, as the audit tells it: ids and numbers, and never a text."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, literal_column, select

from core.audit.events import Event
from core.db.databases import Databases
from core.db.schema import audit_events

# Written into the statement, as the index of these events has it.
_ERASED: ColumnElement[str] = literal_column(f"'{Event.JOBS_ERASED}'")


def list_erasures(databases: Databases, *, limit: int) -> Sequence[Row[Any]]:
    """List the events of what was erased, the newest first, as far as the audit still has them."""
    query = select(audit_events).where(audit_events.c.event == _ERASED).order_by(audit_events.c.seq.desc())
    with databases.ours.transaction() as connection:
        return connection.execute(query.limit(limit)).all()
