"""Notes that are not yet part of a verdict."""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.dialects.postgresql import insert as upsert

from core.actor import Actor
from core.characters import make_storable
from core.db.database import Database
from core.db.schema import review_drafts

# Characters.
LONGEST_NOTE = 4_000


def keep_draft(database: Database, person: Actor, job_id: UUID, note: str) -> None:
    """Keep a note that is being written, so that it survives the end of a session."""
    with database.transaction() as connection:
        connection.execute(draft_of(person, job_id, make_storable(note)[:LONGEST_NOTE]))


def find_draft(database: Database, person: Actor, job_id: UUID) -> str:
    """Return the note that the person was writing about a job; empty where there is none."""
    query = select(review_drafts.c.note).where(review_drafts.c.person == person.name, review_drafts.c.job_id == job_id)
    with database.transaction() as connection:
        return connection.execute(query).scalar_one_or_none() or ""


def draft_of(person: Actor, job_id: UUID, note: str) -> Insert:
    """Build the statement that keeps a note as what the person is writing about a job."""
    row = upsert(review_drafts).values(person=person.name, job_id=job_id, note=note)
    return row.on_conflict_do_update(
        index_elements=["person", "job_id"], set_={"note": row.excluded.note, "saved_at": func.now()}
    )
