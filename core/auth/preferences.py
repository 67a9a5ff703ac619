"""What a person prefers, kept with the person; in demo mode with the one local user."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from core.actor import Actor
from core.db.database import Database
from core.db.schema import people

# Puts a `'` before cells that a spreadsheet could take for a formula.
SPREADSHEET_SAFE = "spreadsheet_safe"


def read_preference(database: Database, person: Actor, name: str) -> Any:
    """Return what the person has chosen, or None where nothing was."""
    query = select(people.c.preferences[name]).where(people.c.person == person.name)
    with database.transaction() as connection:
        return connection.execute(query).scalar_one_or_none()


def keep_preference(database: Database, person: Actor, name: str, value: bool | str | int) -> None:
    """Keep what the person has chosen; other preferences stay as they are."""
    row = insert(people).values(person=person.name, address=person.address or person.name, preferences={name: value})
    merged = func.jsonb_concat(people.c.preferences, row.excluded.preferences)
    with database.transaction() as connection:
        connection.execute(row.on_conflict_do_update(index_elements=["person"], set_={"preferences": merged}))
