"""Reasons by day: how many jobs of each of some reasons there were."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, DateTime, Text, any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from core.counts.by_day import list_days, list_midnights
from core.db.schema import jobs
from core.jobs.access import JobAccess
from core.jobs.filter import JobFilter
from core.jobs.query import select_jobs
from core.jobs.reason_hours import select_reasons
from core.jobs.reasons import are_counted, hash_reasons


def count_reasons_by_day(
    connection: Connection, job_filter: JobFilter, access: JobAccess, reasons: Sequence[str], zone: ZoneInfo
) -> dict[str, dict[date, int]]:
    """Count the matching jobs of each reason for each day of the range in a time zone, days without jobs included."""
    days, midnights = list_days(job_filter.range, zone), list_midnights(job_filter.range, zone)
    counted = {reason: dict.fromkeys(days, 0) for reason in reasons}
    if not days or not reasons:
        return counted

    def number(at: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.width_bucket(at, literal(midnights, ARRAY(DateTime(timezone=True)))).label("number")

    if are_counted(connection, job_filter, access):
        names = hash_reasons(connection, reasons)
        found = select_reasons(job_filter, access, hashes=list(names), breaks=midnights).subquery("found")
        query = select(number(found.c.at), found.c.reason_hash, func.sum(found.c.total).label("total"))
        for row in connection.execute(query.group_by("number", found.c.reason_hash)):
            counted[names[row.reason_hash]][days[row.number - 1]] = int(row.total)
        return counted
    direct = select_jobs(job_filter, access, [number(jobs.c.created_at), jobs.c.reason, func.count().label("total")])
    direct = direct.where(jobs.c.reason == any_(literal(list(reasons), ARRAY(Text)))).group_by("number", jobs.c.reason)
    for row in connection.execute(direct):
        counted[row.reason][days[row.number - 1]] = int(row.total)
    return counted
