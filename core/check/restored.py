"""A database that was restored from a dump: is all of it there, and does it fit together?

What a dump itself does not hold, its counts tell: triggers have counted the jobs beside them, the audit is one chain.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from core.audit.chain import Head
from core.audit.verification import check_chain
from core.check.finding import Finding, advice, ok, problem
from core.check.own_tables import check_ours
from core.counts.fact_upkeep import are_complete, count_wrong
from core.db.databases import Databases
from core.db.migrations.expected import list_differences
from core.errors import FencepostError, NotPossible
from core.program import COMMAND

# So many differences are named.
MOST_NAMED = 20

_LACKS_TRIGGERS = text("SELECT 0 = ANY (job_facts_relations())")

# Jobs that are noted as unsettled may or may not be counted yet.
_COUNTS = text("""
    SELECT (SELECT count(*) FROM jobs) AS jobs, (SELECT count(*) FROM job_facts_unsettled) AS unsettled,
        (SELECT coalesce(sum(total), 0)::bigint FROM job_counts WHERE client_id IS NULL) AS counted,
        (SELECT coalesce(sum(total), 0)::bigint FROM job_counts WHERE client_id IS NOT NULL) AS counted_by_client
""")

_ORPHANS = text("""
    SELECT count(*) FROM moderation_logs AS log WHERE NOT EXISTS (SELECT FROM jobs WHERE jobs.job_id = log.job_id)
""")

_BACK = text("SELECT count(*) FROM erased_jobs JOIN jobs USING (job_id)")

_MAY_CREATE = text("SELECT has_database_privilege(current_database(), 'CREATE')")

# Numbers that the database gives, each with the greatest that was given.
_NUMBERED = text("""
    SELECT relname, attname, pg_sequence_last_value(sequence) AS last
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        CROSS JOIN LATERAL CAST(pg_get_serial_sequence(quote_ident(relname), attname) AS regclass) AS sequence
    WHERE relnamespace = quote_ident(current_schema)::regnamespace AND attidentity <> '' AND relkind IN ('r', 'p')
        AND has_sequence_privilege(sequence, 'SELECT')
    ORDER BY relname
""")


def check_restored(databases: Databases, expected: Head | None = None) -> Iterator[Finding]:
    """Look at all of our own database, however long that takes; nothing is changed.

    `expected` is the head of the audit that was noted when the dump was made.
    """
    ours = databases.ours
    try:
        with ours.transaction() as connection:
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            found = list(check_ours(connection, databases))
            yield from found
            if databases.jobs_are_ours and ours.has_facts():
                yield from list(_check_facts(connection))
            if databases.jobs_are_ours:
                yield from list(_check_jobs(connection))
            yield from list(_check_numbers(connection))
        yield _check_audit(databases, expected)
        with ours.transaction() as connection:
            yield _check_tables(connection, with_jobs=databases.jobs_are_ours)
    except FencepostError as error:
        yield problem(str(error))


def _check_tables(connection: Connection, *, with_jobs: bool) -> Finding:
    if not connection.execute(_MAY_CREATE).scalar_one():
        return advice(
            "Whether every index, constraint, trigger and function is there could not be seen, because this role may "
            "make no schema: run this as the owner of the database."
        )
    differences = list_differences(connection, with_jobs=with_jobs)
    if not differences:
        return ok("Every column, index, constraint, trigger and function is as the migrations make it.")
    named = "; ".join(differences[:MOST_NAMED])
    more = f"; and {len(differences) - MOST_NAMED:,} more" if len(differences) > MOST_NAMED else ""
    return problem(f"The dump was not restored whole: {named}{more}. Restore it once more, and look at its errors.")


def _check_facts(connection: Connection) -> Iterator[Finding]:
    if connection.execute(_LACKS_TRIGGERS).scalar_one():
        yield problem("A trigger that keeps facts beside the jobs is missing or off: see below what else is.")
    counts = connection.execute(_COUNTS).one()
    for counted in dict.fromkeys((counts.counted, counts.counted_by_client)):
        if abs(counts.jobs - counted) > counts.unsettled:
            yield problem(
                f"There are {counts.jobs:,} jobs, and {counted:,} were counted beside them: rows were lost on the way, "
                "or came in while triggers were off. Restore the dump once more; if nothing is lost, run "
                f"`{COMMAND} facts rebuild`."
            )
    wrong = count_wrong(connection)
    if wrong:
        yield problem(f"{wrong:,} facts are missing or not what the jobs say: run `{COMMAND} facts rebuild`.")
    else:
        yield ok(f"The facts of all {counts.jobs:,} jobs are right.")
    if not wrong and not are_complete(connection):
        yield advice(
            "Facts are not used until a server has looked through them once, which it does by itself: "
            f"`{COMMAND} facts rebuild` does it at once."
        )


def _check_jobs(connection: Connection) -> Iterator[Finding]:
    orphans = connection.execute(_ORPHANS).scalar_one()
    if orphans:
        yield problem(f"{orphans:,} moderation logs have no job: jobs were lost. Restore the dump once more.")
    else:
        yield ok("Every moderation log has its job.")
    back = connection.execute(_BACK).scalar_one()
    if back:
        yield problem(f"{back:,} jobs that were erased for good are back: erase them again (docs/retention.md).")


def _check_numbers(connection: Connection) -> Iterator[Finding]:
    """Tell whether the next number that the database gives is a new one."""
    behind = []
    for table, column, last in connection.execute(_NUMBERED).all():
        greatest = connection.execute(text(f"SELECT max({column}) FROM {table}")).scalar()
        if greatest is not None and (last is None or last < greatest):
            behind.append(f"{table}.{column}")
    if behind:
        yield problem(
            f"The next numbers of {', '.join(behind)} were given before: restore the sequences, too (pg_dump without "
            "--data-only does)."
        )
    else:
        yield ok("The next number of each table is a new one.")


def _check_audit(databases: Databases, expected: Head | None) -> Finding:
    try:
        return ok(check_chain(databases, expected))
    except NotPossible as error:
        return problem(str(error))
