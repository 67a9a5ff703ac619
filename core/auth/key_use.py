"""When each key was last used: written at most once a minute, and never in the way of a request."""

import logging
import time
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from threading import Lock

from sqlalchemy import func, or_, update

from core.db.database import Database
from core.db.schema import api_keys
from core.errors import FencepostError

log = logging.getLogger("fencepost.keys")

# Fine enough to see whether a key is in use, and seldom enough to cost nothing.
PERIOD = timedelta(minutes=1)


class LastUse:
    """What a process has seen of its keys' use. One thread at a time writes it down, however many keys there are."""

    def __init__(self, database: Database, begin: Callable[[Callable[[], None]], object]) -> None:
        """Take what begins work in the background and returns at once."""
        self._database = database
        self._begin = begin
        self._tried: dict[str, float] = {}
        self._due: deque[str] = deque()
        self._writing = False
        self._lock = Lock()

    def note(self, key_id: str) -> None:
        """Note that a key is used now; return at once. What becomes of the note is not the caller's business."""
        now = time.monotonic()
        with self._lock:
            if now - self._tried.get(key_id, float("-inf")) < PERIOD.total_seconds():
                return
            self._tried[key_id] = now
            self._due.append(key_id)
            if self._writing:
                return
            self._writing = True
        self._begin(self._write)

    def _write(self) -> None:
        while True:
            with self._lock:
                if not self._due:
                    self._writing = False
                    return
                key_id = self._due.popleft()
            try:
                write_last_use(self._database, key_id)
            except FencepostError:
                log.warning("key %s: its last use could not be written", key_id)


def write_last_use(database: Database, key_id: str) -> None:
    """Write that a key is used now, unless another process did so within the minute."""
    is_due = or_(api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at < func.now() - PERIOD)
    with database.transaction() as connection:
        connection.execute(update(api_keys).where(api_keys.c.key_id == key_id, is_due).values(last_used_at=func.now()))
