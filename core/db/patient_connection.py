"""A connection that does not wait for ever for a server that says nothing more."""

from typing import Any, TypeVar

import psycopg
from psycopg import errors
from psycopg.abc import PQGen

RV = TypeVar("RV")


class PatientConnection(psycopg.Connection[Any]):
    """A connection that waits for each answer for `limit` seconds at most, and is closed after that.

    The server's own limits come first where they are lower; this one is for a server or a network that is silent.
    """

    limit: float | None = None

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait for an answer; raise `OperationalError` where none came in time."""
        limit = self.limit if timeout is None else timeout
        try:
            return super().wait(gen, interval, limit)
        except errors._WaitTimeout:
            self.pgconn.finish()
            raise psycopg.OperationalError("the server does not answer") from None


def set_limit(connection: Any, limit: float | None) -> None:
    """Say how long a connection of the pool waits for an answer."""
    if isinstance(connection, PatientConnection):
        connection.limit = limit
