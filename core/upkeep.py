"""What a server does beside its requests, now and then."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

from core.counts.fact_upkeep import keep_facts
from core.db.database import Database
from core.db.databases import Databases
from core.db.partitions import make_months
from core.errors import FencepostError
from core.keeping.forgetting import forget_daily
from core.metrics.queue_lengths import count_queues
from core.quality.finishing import finish_samples
from core.settings import Settings

log = logging.getLogger("fencepost.upkeep")

# Seconds.
INTERVAL = 60

# How long before its first job a month is made, where jobs are in months.
NEXT_MONTH = timedelta(days=31)


@contextmanager
def upkeep(databases: Databases, settings: Settings) -> Iterator[None]:
    """Keep facts, make months, forget, finish samples and count queues, each in time, in a thread, for a block."""
    stopped = threading.Event()
    tasks: list[Callable[[], object]] = [
        partial(forget_daily, databases, settings),
        partial(finish_samples, databases, {}),
        partial(count_queues, databases.ours),
    ]
    if databases.jobs_are_ours:
        tasks = [partial(keep_facts, databases.ours), partial(_make_next_month, databases.ours), *tasks]

    def work() -> None:
        while not stopped.is_set():
            for task in tasks:
                try:
                    task()
                except FencepostError as error:
                    # Nothing is wrong without it, only slower; the others go on, and the next round tries again.
                    log.warning("upkeep was not possible: %s", error)
            stopped.wait(INTERVAL)

    # A daemon: a database that hangs must not keep the server from ending.
    thread = threading.Thread(target=work, name="upkeep", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(timeout=1)


def _make_next_month(database: Database) -> None:
    now = datetime.now(UTC)
    make_months(database.transaction, (now, now + NEXT_MONTH))
