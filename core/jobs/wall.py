"""The wall between clients: whose jobs may be seen."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement

from core.db.schema import jobs


@dataclass(frozen=True, slots=True)
class Wall:
    """Whose jobs may be seen: those of one client, or of all (`client_id` None: staff)."""

    client_id: str | None


def of_clients(wall: Wall, client_id: str | None) -> list[ColumnElement[bool]]:
    return [jobs.c.client_id == each for each in (wall.client_id, client_id) if each is not None]


def is_one(job_id: UUID, wall: Wall) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [jobs.c.job_id == job_id]
    if wall.client_id is not None:
        conditions.append(jobs.c.client_id == wall.client_id)
    return conditions
