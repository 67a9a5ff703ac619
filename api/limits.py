"""How much one client may ask: requests in a moving minute, and exports at once. Both count in this process."""

import math
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from api.errors import rate_limited

# Seconds; nobody knows when an export ends.
RETRY_EXPORT = 10


class RequestLimit:
    """At most so many requests of a client in any 60 seconds."""

    def __init__(self, requests_per_minute: int) -> None:
        self._item = RateLimitItemPerMinute(requests_per_minute)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def count(self, client: str) -> int | None:
        """Count a request. Return None, or, where it is one too many, the seconds after which to try again."""
        if self._limiter.hit(self._item, client):
            return None
        reset_at, _ = self._limiter.get_window_stats(self._item, client)
        return max(1, math.ceil(reset_at - time.time()))


class ExportSlots:
    """At most so many exports at once, of a client and of all."""

    def __init__(self, *, per_client: int, total: int) -> None:
        self._per_client = per_client
        self._total = total
        self._running: Counter[str] = Counter()

    @contextmanager
    def take(self, client: str) -> Iterator[None]:
        """Hold a slot for the length of a block, whatever becomes of the export in it."""
        if self._running[client] >= self._per_client:
            raise rate_limited(
                f"{self._per_client} exports of this client are running: wait until one has ended.", RETRY_EXPORT
            )
        if self._running.total() >= self._total:
            raise rate_limited(f"{self._total} exports are running: wait until one has ended.", RETRY_EXPORT)
        self._running[client] += 1
        try:
            yield
        finally:
            self._running[client] -= 1
            if self._running[client] == 0:
                del self._running[client]
