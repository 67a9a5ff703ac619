"""All that pages read of a source, so that two sources with the same jobs can be compared."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from core.counts.by_day import count_in_time
from core.counts.reason_days import count_reasons_by_day
from core.db.databases import Databases
from core.jobs.access import JobAccess, NotedReasons, make_access
from core.jobs.filter import JobFilter
from core.jobs.hidden_text import Texts
from core.jobs.job import api_key_columns, find_job, find_jobs, list_logs, read_decisions, read_texts
from core.jobs.pages import find_newer, find_newest, find_older, page_jobs
from core.jobs.query import PageKey, count_jobs, find_matching
from core.jobs.reasons import count_reasons
from core.jobs.strata import Stratification, list_rows
from core.jobs.wall import Wall, list_clients
from tests.support.days import sum_days

STAFF = Wall(None)

# Facts tell a decision apart for jobs that have one only.
STRATA = (Stratification.CATEGORY, Stratification.REASON, Stratification.CLIENT)

# Each asks for something that no other does: of the job, of its latest log, and of texts.
FILTERS: tuple[dict[str, str], ...] = (
    {},
    {"decision": "reject", "category_nsfw": "false"},
    {"q": "FOX"},
    {"client_id": "demo-atelier", "evaluated": "true"},
    {"job_id": "a,b", "has_reason": "false"},
)


def read_pages(databases: Databases, job_filter: JobFilter, noted: NotedReasons) -> tuple[Any, ...]:
    """Read what pages show of a filter: two of them, counts, days, reasons and strata."""
    access = make_access(databases, STAFF)
    with databases.source.transaction() as connection:
        first = page_jobs(connection, job_filter, access, after=None, limit=20, texts=Texts.ALL, noted=noted)
        second = page_jobs(
            connection, job_filter, access, after=first.next, limit=20, texts=Texts.UNFLAGGED, noted=noted
        )
        ids = [row.job_id for row in first.rows]
        reasons = count_reasons(connection, job_filter, access)
        names = [count.reason for count in reasons.listed]
        return (
            (first, second),
            (count_jobs(connection, job_filter, access), count_in_time(connection, job_filter, access, limit=30)),
            sum_days(connection, job_filter, access, ZoneInfo("Europe/Berlin")),
            ([(each.reason, each.jobs, each.before) for each in reasons.listed], reasons.jobs),
            count_reasons_by_day(connection, job_filter, access, names, ZoneInfo("UTC")),
            (
                sorted(find_jobs(connection, job_filter, access, ids)),
                find_matching(connection, job_filter, access, ids),
            ),
            [_count_strata(connection, job_filter, access, by) for by in STRATA],
        )


def _count_strata(connection: Any, job_filter: JobFilter, access: JobAccess, by: Stratification) -> list[Any]:
    rows = list_rows(connection, job_filter, access, [by])
    query = select(rows.c[by.value], func.count()).group_by(rows.c[by.value])
    return sorted(map(tuple, connection.execute(query)), key=str)


def read_jobs(databases: Databases, job_filter: JobFilter) -> tuple[Any, ...]:
    """Read single jobs with their logs and neighbours, and the clients."""
    access = make_access(databases, STAFF)
    with databases.source.transaction() as connection:
        page = page_jobs(connection, job_filter, access, after=None, limit=5, texts=Texts.ALL)
        ids = [row.job_id for row in page.rows]
        key = PageKey(page.rows[2].created_at, ids[2])
        newest: datetime | None = find_newest(connection, STAFF, page.rows[0].client_id)
        return (
            [list_clients(connection, STAFF, limit=limit) for limit in (2, 10)],
            [find_job(connection, job, STAFF, api_key_columns(access)) for job in ids],
            [read_texts(connection, job, STAFF, longest=100) for job in ids],
            [[tuple(log._mapping[name] for name in LOG) for log in list_logs(connection, job, STAFF)] for job in ids],
            (find_older(connection, job_filter, access, key), find_newer(connection, job_filter, access, key)),
            (read_decisions(connection, STAFF, ids), newest),
            find_job(connection, ids[0], Wall("nobody")),
        )


LOG = ("log_id", "job_id", "created_at", "category_ai_adult_general", "category_underage", "category_nsfw")
