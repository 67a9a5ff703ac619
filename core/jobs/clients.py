"""The clients that have jobs."""

from sqlalchemy import Connection, text

from core.jobs.wall import Wall


def list_clients(connection: Connection, wall: Wall, *, limit: int) -> list[str]:
    """List the clients that have jobs, in the order of their names, at most so many.

    A step through an index for each, because a plain DISTINCT would read all jobs.
    """
    if wall.client_id is not None:
        return [wall.client_id]
    steps = text("""
        WITH RECURSIVE step (client_id) AS (
            (SELECT min(client_id) FROM jobs)
            UNION ALL
            SELECT (SELECT min(client_id) FROM jobs WHERE client_id > step.client_id) FROM step
            WHERE step.client_id IS NOT NULL
        )
        SELECT client_id FROM step WHERE client_id IS NOT NULL LIMIT :limit
    """)
    return list(connection.execute(steps, {"limit": limit}).scalars())
