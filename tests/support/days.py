"""Days of a breakdown, each with what its jobs come to: what the page of categories adds up."""

from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from core.counts.by_day import combine_by_day
from core.counts.outcomes import Sums, sum_up
from core.jobs.access import JobAccess
from core.jobs.filter import JobFilter


def sum_days(connection: Connection, job_filter: JobFilter, access: JobAccess, zone: ZoneInfo) -> dict[date, Sums]:
    """Sum each day of a range up, days without jobs included."""
    combined = combine_by_day(connection, job_filter, access, zone)
    return {day: sum_up(counted) for day, counted in combined.items()}
