"""Jobs and logs as tests write them down."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg

NOON = datetime(2026, 4, 15, 12, tzinfo=UTC)


def insert_job(connection: psycopg.Connection, **values: Any) -> UUID:
    """Insert a job; what is not given is ordinary. Return its id."""
    job: dict[str, Any] = {
        "job_id": uuid4(),
        "client_id": "acme",
        "type": "prompt",
        "status": "completed",
        "is_prohibited": False,
        "created_at": NOON,
        "completed_at": None,
        "prompt": "a prompt",
        "reason": None,
    } | values
    _insert(connection, "jobs", job)
    job_id: UUID = job["job_id"]
    return job_id


def insert_log(connection: psycopg.Connection, job_id: UUID, **values: Any) -> None:
    """Insert a moderation log; what is not given is false, and its time is noon."""
    log: dict[str, Any] = {
        "job_id": job_id,
        "created_at": NOON,
        "category_ai_adult_general": False,
        "category_underage": False,
        "category_nsfw": False,
    } | values
    _insert(connection, "moderation_logs", log)


def _insert(connection: psycopg.Connection, table: str, values: dict[str, Any]) -> None:
    query = psycopg.sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        psycopg.sql.Identifier(table),
        psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, values)),
        psycopg.sql.SQL(", ").join(map(psycopg.sql.Placeholder, values)),
    )
    connection.execute(query, values)


def insert_large_jobs(connection: psycopg.Connection, number: int, *, size: int, client_id: str = "acme") -> None:
    """Insert jobs, a second apart from noon on, whose harmless prompts are of so many characters."""
    connection.execute(
        """
        INSERT INTO jobs (job_id, client_id, type, status, is_prohibited, created_at, prompt)
        SELECT gen_random_uuid(), %(client_id)s, 'prompt', 'completed', false, %(noon)s + n * interval '1 second',
            left(repeat('a harmless prompt, ', %(size)s / 19 + 1), %(size)s)
        FROM generate_series(1, %(number)s) AS n
        """,
        {"client_id": client_id, "noon": NOON, "number": number, "size": size},
    )
