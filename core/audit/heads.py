"""The audit's head in the log: whoever keeps the log elsewhere can prove later that no tail was cut."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from core.audit.chain import find_head
from core.db.databases import Databases
from core.errors import FencepostError

log = logging.getLogger("fencepost.audit")

# Seconds. What was written within the last hour can be cut unseen by somebody who may change the table.
EVERY = 3600


@contextmanager
def logging_heads(databases: Databases) -> Iterator[None]:
    """Log `audit head SEQ:HASH` now and every hour, for the length of a block.

    In a thread that keeps no process alive; where the database is away it says so, and tries again an hour later.
    """
    ended = Event()
    Thread(target=_log_heads, args=(databases, ended), name="audit heads", daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _log_heads(databases: Databases, ended: Event) -> None:
    while True:
        try:
            log.info("audit head %s", find_head(databases.ours))
        except FencepostError:
            log.warning("the audit's head could not be read")
        if ended.wait(EVERY):
            return
