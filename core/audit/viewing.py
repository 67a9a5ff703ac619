"""How much somebody has looked at: shown to oneself, from one's own rows of the audit."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from core.actor import Actor
from core.audit.events import Event
from core.db.database import Database
from core.db.schema import audit_events


@dataclass(frozen=True, slots=True)
class Looks:
    """How many jobs somebody opened, and how many prompts they revealed."""

    opened: int
    revealed: int


def count_looks(database: Database, person: Actor, since: datetime) -> Looks:
    """Count what a person has looked at since an instant."""
    opened, revealed = (
        func.count().filter(audit_events.c.event == event.value) for event in (Event.JOB_OPENED, Event.PROMPT_REVEALED)
    )
    query = select(opened, revealed).where(audit_events.c.actor == person.name, audit_events.c.at >= since)
    with database.transaction() as connection:
        row = connection.execute(query).one()
    return Looks(row[0], row[1])
