"""How much one client may ask: requests in a moving minute, and exports at once. Both count in this process."""

import logging
import math
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from api.errors import rate_limited

log = logging.getLogger("fencepost.limits")

# Seconds; nobody knows when an export ends.
RETRY_EXPORT = 10

# Seconds in which requests are counted. By the monotonic clock: that of the wall may be set.
WINDOW = 60


class RequestLimit:
    """At most so many requests of a client in any 60 seconds."""

    def __init__(self, requests_per_minute: int) -> None:
        self._most = requests_per_minute
        self._counted: dict[str, deque[float]] = {}
        self._swept_at = time.monotonic()

    def count(self, client: str) -> int | None:
        """Count a request. Return None, or, where it is one too many, the seconds after which to try again."""
        now = time.monotonic()
        if now - self._swept_at > WINDOW:
            self._swept_at = now
            self._counted = {name: times for name, times in self._counted.items() if times[-1] > now - WINDOW}
        times = self._counted.setdefault(client, deque())
        while times and times[0] <= now - WINDOW:
            times.popleft()
        if len(times) >= self._most:
            return max(1, math.ceil(times[0] + WINDOW - now))
        times.append(now)
        return None


@dataclass(frozen=True, slots=True)
class Rate:
    """So many at once, and so many a second after that."""

    burst: int
    per_second: float


class Bucket:
    """What a rate still allows."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._left = float(rate.burst)
        self._at = time.monotonic()

    def take(self) -> float:
        """Take one and return 0; where there is none, return the seconds until there is one.

        What is asked for in vain still counts, so that those who wait do so one after the other.
        """
        now = time.monotonic()
        self._left = min(self._rate.burst, self._left + (now - self._at) * self._rate.per_second)
        self._at = now
        # No more debt than a second's worth, so that whoever stops is soon welcome again.
        self._left = max(self._left - 1, -self._rate.per_second)
        return max(0.0, -self._left / self._rate.per_second)

    def wait(self) -> float:
        """Return the seconds until there is one, and take none."""
        left = min(self._rate.burst, self._left + (time.monotonic() - self._at) * self._rate.per_second)
        return max(0.0, (1 - left) / self._rate.per_second)


class Seldom:
    """A warning that is logged once a minute at most, however often there is reason for it."""

    def __init__(self, message: str, *arguments: object) -> None:
        self._message = message
        self._arguments = arguments
        self._said_at = float("-inf")

    def warn(self) -> None:
        if time.monotonic() - self._said_at >= WINDOW:
            self._said_at = time.monotonic()
            log.warning(self._message, *self._arguments)


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
