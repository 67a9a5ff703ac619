"""Slices of an export: stretches of time, each about as large as the ones before have let one expect."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from core.jobs.filter import DateRange

# What a slice should come to in bytes, and in seconds where few of the jobs that are read come out.
SLICE_SIZE = 12 * 1024 * 1024
SLICE_SECONDS = 1.0

# A slice is at most so many times as long as the one before: jobs may come in bursts.
GROWTH = 4
SHORTEST = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class First:
    """What is known of the first jobs: when they begin, and how long they go on."""

    begins_at: datetime
    length: timedelta


class TimeSlices:
    """Cuts a range into slices, which follow each other and leave nothing out; without `first`, into a single one."""

    def __init__(self, bounds: DateRange, first: First | None) -> None:
        self._end = bounds.end
        self._start = bounds.start
        # Before this there is nothing.
        self._origin = bounds.start if first is None else first.begins_at
        self._length = bounds.end - bounds.start if first is None else max(first.length, SHORTEST)
        self._is_cut = False

    def cut(self) -> DateRange | None:
        """Cut the next slice off; None where nothing is left. An empty range is one slice."""
        if self._is_cut:
            return None
        start = self._start
        # Not added: a sum may lie beyond what a time can be.
        is_last = self._end - max(start, self._origin) <= self._length
        self._start = self._end if is_last else max(start, self._origin) + self._length
        self._is_cut = self._start == self._end
        return DateRange(start, self._start)

    @property
    def has_more(self) -> bool:
        """Whether there is another slice."""
        return not self._is_cut

    def learn(self, part: DateRange, size: int, seconds: float) -> None:
        """Let later slices be as long as one that was copied, as far as it had the right size."""
        factor = min(GROWTH, SLICE_SIZE / max(size, 1), SLICE_SECONDS / max(seconds, 0.001))
        length = (part.end - max(part.start, self._origin)) * factor
        self._length = max(min(length, self._end - self._origin), SHORTEST)
