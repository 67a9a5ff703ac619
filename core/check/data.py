"""The data of the source: how much there is and from when, and what in it would surprise."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row, text

from core.characters import quote
from core.check.finding import Finding, advice, ok, problem
from core.check.plan import explain
from core.check.relation import Relation
from core.check.wanted_index import print_size
from core.db.database import Database
from core.errors import NotPossible, QueryTooSlow
from core.jobs.filter import STATUSES

# Seconds that each look at all rows may take, and the rows that are looked at where that is not enough.
TIMEOUT = 5
SAMPLE = 20_000

# What Python cannot hold, and so no page shows. Most often it is 'infinity'.
_TOO_FAR = "NOT BETWEEN timestamptz '0001-01-02Z' AND timestamptz '9999-12-30Z'"

# {0} is jobs, or some of them.
_FAULTS = f"""
    SELECT count(*) AS total,
        count(*) FILTER (WHERE created_at IS NULL) AS undated,
        count(*) FILTER (WHERE job_id IS NULL) AS nameless,
        count(*) FILTER (WHERE client_id IS NULL) AS clientless,
        count(*) FILTER (WHERE type IS NULL OR status IS NULL) AS formless,
        count(*) FILTER (WHERE created_at {_TOO_FAR} OR completed_at {_TOO_FAR}) AS too_far,
        count(*) FILTER (WHERE status NOT IN {STATUSES}) AS unknown,
        (array_agg(DISTINCT left(status, 30)) FILTER (WHERE status NOT IN {STATUSES}))[1:5] AS statuses
    FROM {{0}}
"""

# Makes every value of some rows, as an export does; a cast in a view may meet one that it does not take.
_READ = f"SELECT count(newest::text) FROM (TABLE {{0}} ORDER BY created_at DESC LIMIT {SAMPLE}) AS newest"

# Each finds one row, if there is one.
_REPEATED = "SELECT count(*) FROM (SELECT job_id FROM {0} GROUP BY job_id HAVING count(*) > 1 LIMIT 1) AS repeated"
_ORPHANS = """
    SELECT count(*) FROM (
        SELECT logs.job_id FROM {0} WHERE NOT EXISTS (SELECT FROM jobs WHERE jobs.job_id = logs.job_id AND _) LIMIT 1
    ) AS orphans
"""

_NEWEST = f"(TABLE jobs ORDER BY created_at DESC LIMIT {SAMPLE}) AS newest"

_IS_UNIQUE = text("""
    SELECT EXISTS (
        SELECT FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
        WHERE indrelid = CAST(:oid AS oid) AND indisunique AND indisvalid AND indnkeyatts = 1
            AND indpred IS NULL AND attname = 'job_id'
    )
""")


def check_data(source: Database, jobs: Relation, logs: Relation) -> Iterator[Finding]:
    """Look at the data, a few seconds at each question."""
    try:
        for name in (jobs.name, logs.name):
            _ask(source, _READ.format(name))
        yield _check_range(source, jobs)
        yield from _check_jobs(source)
        yield from _check_repeated(source, jobs)
        yield from _check_orphans(source)
    except NotPossible as error:
        # Class 22 of PostgreSQL's error codes is about values.
        if "SQLSTATE 22" not in str(error):
            raise
        yield problem(
            "Some rows cannot be read, and an export ends where it meets one: see that every cast in a view takes "
            "every value that there is."
        )


def _check_range(source: Database, jobs: Relation) -> Finding:
    with source.transaction(timeout=TIMEOUT) as connection:
        rows = explain(connection, "SELECT FROM jobs").rows
        logs = explain(connection, "SELECT FROM moderation_logs").rows
    size = f", {print_size(jobs.size)} with indexes" if jobs.size and not source.topology().is_distributed else ""
    amount = f"PostgreSQL estimates {rows:,} jobs{size}, and {logs:,} moderation logs"
    found = _ask(source, "SELECT min(created_at)::text AS oldest, max(created_at)::text AS newest FROM jobs")
    if found is None:
        return advice(
            f"{amount}. The oldest and the newest job were not found in {TIMEOUT} seconds: an index on created_at "
            "finds them."
        )
    if found.oldest is None:
        return advice("There are no jobs: see that the tables or views are the right ones, if there should be some.")
    return ok(f"{amount}. They were created from {found.oldest} to {found.newest}.")


def _check_jobs(source: Database) -> Iterator[Finding]:
    found, is_all = _ask_all_or_some(source, _FAULTS, "jobs", _NEWEST)
    if found is None:
        yield advice(f"The values of jobs could not be looked at in {TIMEOUT} seconds: make the missing indexes first.")
        return
    jobs = f"{'' if is_all else 'the newest '}{found.total:,} jobs"
    faults = list(_list_faults(found, jobs))
    yield from faults
    if not faults:
        yield ok(f"In all of {jobs} there are only values that are known.")


def _list_faults(found: Row[Any], jobs: str) -> Iterator[Finding]:
    def amount(number: int) -> str:
        return f"{number:,} of {jobs}"

    if found.undated:
        yield problem(
            f"created_at is null in {amount(found.undated)}, which no page or export shows: give a time, in the table "
            "or in a view."
        )
    if found.nameless:
        yield problem(f"job_id is null in {amount(found.nameless)}: give an id, or leave them out in a view.")
    if found.clientless:
        yield problem(
            f"client_id is null in {amount(found.clientless)}, which no client's key sees: name one, such as "
            "coalesce(client_id, 'unknown') in a view."
        )
    if found.formless:
        yield problem(f"type or status is null in {amount(found.formless)}: name one by coalesce() in a view.")
    if found.too_far:
        yield problem(
            f"created_at or completed_at is beyond all years, as infinity is, in {amount(found.too_far)}, which no "
            "page can show: correct it, or let a view make completed_at null."
        )
    if found.unknown:
        names = ", ".join(quote(status) for status in found.statuses)
        yield problem(
            f"status is none of {', '.join(STATUSES)} in {amount(found.unknown)} ({names}), which no filter of status "
            "finds: map it by CASE in a view (docs/own-database.md)."
        )


def _check_repeated(source: Database, jobs: Relation) -> Iterator[Finding]:
    with source.transaction(timeout=TIMEOUT) as connection:
        if jobs.kind in "rp" and connection.execute(_IS_UNIQUE, {"oid": jobs.oid}).scalar_one():
            return
    found, is_all = _ask_all_or_some(source, _REPEATED, "jobs", _NEWEST)
    where = "jobs" if is_all else f"the newest {SAMPLE:,} jobs"
    if found is None:
        yield advice("Whether a job_id occurs twice could not be looked at in time: make the missing indexes first.")
    elif found[0]:
        yield problem(
            f"Some job_id occurs more than once among {where}, so that exports repeat it and pages stumble over it: "
            "see that no join of the view repeats a job, and that the id is made of a key."
        )
    else:
        yield ok(f"No job_id occurs twice among {where}.")


def _check_orphans(source: Database) -> Iterator[Finding]:
    some = f"(TABLE moderation_logs LIMIT {SAMPLE}) AS logs"
    topology = source.topology()
    is_on_node = "jobs.client_id = logs.client_id" if topology.joins_by_client else "true"
    orphans, logs = _ORPHANS.replace("_)", f"{is_on_node})"), "moderation_logs AS logs"
    if topology.is_distributed:
        # The logs of some nodes do not meet their jobs once they have left these.
        found, is_all = _ask(source, orphans.format(logs)), True
    else:
        found, is_all = _ask_all_or_some(source, orphans, logs, some)
    where = "moderation logs" if is_all else f"{SAMPLE:,} moderation logs"
    if found is None:
        yield advice("Whether logs have their jobs could not be looked at in time: make the missing indexes first.")
    elif found[0]:
        yield advice(
            f"Among {where} some refer to jobs that don't exist, which nothing shows: look whether their job_id is "
            "made as that of the jobs is."
        )
    else:
        yield ok(f"All {where} belong to a job.")


def _ask_all_or_some(source: Database, statement: str, everything: str, some: str) -> tuple[Row[Any] | None, bool]:
    """Ask of all rows, or of some where that takes too long; return the answer, and whether it is of all."""
    found = _ask(source, statement.format(everything))
    return (found, True) if found is not None else (_ask(source, statement.format(some)), False)


def _ask(source: Database, statement: str) -> Row[Any] | None:
    """Ask for one row within the time limit; None where that is not enough."""
    try:
        with source.transaction(timeout=TIMEOUT) as connection:
            # The whole table is what is asked for.
            connection.execute(text("SET LOCAL enable_seqscan = on"))
            return connection.execute(text(statement)).one()
    except QueryTooSlow:
        return None
