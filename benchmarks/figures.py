"""Times, and what is told of many of them."""

import time
from collections.abc import Callable


def seconds(work: Callable[[], object]) -> float:
    """Return how long it takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def p95(times: list[float]) -> float:
    """Return the 95th percentile in milliseconds."""
    return sorted(times)[int(len(times) * 0.95)] * 1000
