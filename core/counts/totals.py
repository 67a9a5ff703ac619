"""The figures of a period: jobs and how they were decided, beside those of the period before."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from core.counts.by_day import combine
from core.counts.outcomes import sum_up
from core.jobs.access import JobAccess
from core.jobs.filter import DateRange, JobFilter

_EARLIEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Totals:
    """How many jobs there were, and how many of them were rejected, not decided, and without a moderation log."""

    jobs: int
    rejected: int
    undecided: int
    not_evaluated: int

    @property
    def rejected_share(self) -> float | None:
        """The share of the decided jobs that was rejected, from 0 to 1; None where none was decided."""
        decided = self.jobs - self.undecided
        return self.rejected / decided if decided else None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The figures of a range, and those of `before`: as much time, right before it.

    Of a range that is not over the part that has passed is compared with as much of the range before.
    """

    now: Totals
    before: Totals
    before_range: DateRange


def compare(
    connection: Connection,
    bounds: DateRange,
    client_id: str | None,
    access: JobAccess,
    now: datetime,
) -> Comparison:
    """Read the figures of a range and of the time before it."""
    passed = min(bounds.end, max(now, bounds.start)) - bounds.start
    # There is no time before the first year.
    start = bounds.start - min(bounds.end - bounds.start, bounds.start - _EARLIEST)
    before = DateRange(start, min(start + passed, bounds.start))
    found = (_read(connection, JobFilter(range=each, client_id=client_id), access) for each in (bounds, before))
    return Comparison(next(found), next(found), before)


def _read(connection: Connection, job_filter: JobFilter, access: JobAccess) -> Totals:
    (counted,) = combine(connection, job_filter, access, [job_filter.range.start])
    sums = sum_up(counted)
    return Totals(sums.jobs, sums.rejected, sums.undecided, sums.jobs - sums.evaluated)
