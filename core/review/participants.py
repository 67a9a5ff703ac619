"""Who takes part in a sample or in a queue that people share: those who were chosen, or everybody."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, select

from core.actor import Actor
from core.db.database import Database
from core.db.schema import people


def list_people(database: Database) -> dict[str, str]:
    """Return everybody who has ever signed in, by name, with the address that is shown."""
    query = select(people.c.person, people.c.address).order_by(people.c.address, people.c.person)
    with database.transaction() as connection:
        return {row.person: row.address for row in connection.execute(query)}


def takes_part(shared: Row[Any], person: Actor) -> bool:
    """Tell whether a person was chosen, or everybody is."""
    return shared.people is None or person.name in shared.people


def why_not(sample: Row[Any], person: Actor, now: datetime) -> str | None:
    """Say why a person may not judge a sample now, or return None where they may. Its last day is one of UTC."""
    if not takes_part(sample, person):
        return "You do not take part in this sample: ask who has drawn it."
    if sample.last_day is not None and now.astimezone(UTC).date() > sample.last_day:
        return f"This sample was judged until {sample.last_day:%Y-%m-%d}: it takes no more verdicts."
    return None
