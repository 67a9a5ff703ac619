"""Notes that are not yet part of a verdict, and verdicts that are not recorded yet."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, func, select, text
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.dialects.postgresql import insert as upsert

from core.actor import Actor
from core.characters import make_storable
from core.db.database import Database
from core.db.schema import erased_jobs, review_drafts

# Characters.
LONGEST_NOTE = 4_000


def keep_draft(database: Database, person: Actor, job_id: UUID, note: str) -> None:
    """Keep a note that is being written, so that it survives the end of a session; none about what was erased."""
    with database.transaction() as connection:
        hold_off_erasing(connection)
        if not are_erased(connection, [job_id]):
            connection.execute(draft_of(person, job_id, make_storable(note)[:LONGEST_NOTE]))


def find_draft(database: Database, person: Actor, job_id: UUID) -> str:
    """Return the note that the person was writing about a job; empty where there is none."""
    query = select(review_drafts.c.note).where(review_drafts.c.person == person.name, review_drafts.c.job_id == job_id)
    with database.transaction() as connection:
        return connection.execute(query).scalar_one_or_none() or ""


def find_unrecorded(database: Database, person: Actor, job_id: UUID) -> Row[Any] | None:
    """Return the verdict (and its categories) that the person gave on a job and that was never recorded, or None.

    It waited for a lock, mostly, when the server was stopped; or what was on screen had changed in another window.
    """
    query = select(review_drafts).where(
        review_drafts.c.person == person.name, review_drafts.c.job_id == job_id, review_drafts.c.verdict.is_not(None)
    )
    with database.transaction() as connection:
        return connection.execute(query).one_or_none()


def hold_off_erasing(connection: Connection) -> None:
    """Let nobody erase notes while a transaction writes some: it would not see them. Whoever comes later waits here."""
    connection.execute(text("SELECT pg_advisory_xact_lock_shared(hashtextextended('fencepost erasing', 0))"))


def are_erased(connection: Connection, ids: Sequence[UUID]) -> bool:
    """Tell whether one of some jobs was erased for good."""
    erased = select(erased_jobs.c.job_id).where(erased_jobs.c.job_id == func.any(list(ids))).limit(1)
    return connection.execute(erased).first() is not None


def attempt_of(person: Actor, job_id: UUID, note: str, verdict: str, categories: Sequence[str] | None) -> Insert:
    """Build the statement that keeps a verdict with its note until it is recorded."""
    row = upsert(review_drafts).values(
        person=person.name, job_id=job_id, note=note, verdict=verdict, categories=categories
    )
    kept = {name: row.excluded[name] for name in ("note", "verdict", "categories")}
    return row.on_conflict_do_update(index_elements=["person", "job_id"], set_=kept | {"saved_at": func.now()})


def draft_of(person: Actor, job_id: UUID, note: str) -> Insert:
    """Build the statement that keeps a note as what the person is writing about a job."""
    row = upsert(review_drafts).values(person=person.name, job_id=job_id, note=note)
    return row.on_conflict_do_update(
        index_elements=["person", "job_id"], set_={"note": row.excluded.note, "saved_at": func.now()}
    )
