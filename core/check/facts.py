"""The facts that are kept beside jobs: are they there, complete and right, and what makes them where they are not."""

from collections.abc import Iterator

from sqlalchemy import text

from core.check.finding import Finding, advice, ok, problem
from core.check.relation import Relation
from core.counts.fact_upkeep import are_complete
from core.db.database import Database
from core.db.migrations.distributed import NONE_WHERE_DISTRIBUTED
from core.errors import QueryTooSlow
from core.facts import reasons
from core.facts.statements import ADD_TIMES, TABLES, list_functions, list_triggers

# Seconds, and the newest jobs whose facts are compared with them.
TIMEOUT = 5
SAMPLE = 20_000

_NEWEST_WRONG = text(f"""
    SELECT count(*) FROM job_facts_find_wrong(
        (SELECT min(created_at) FROM (
            SELECT created_at FROM job_facts ORDER BY created_at DESC LIMIT {SAMPLE}
        ) AS newest),
        'infinity'
    )
""")
_LACKS_TRIGGERS = text("SELECT 0 = ANY (job_facts_relations())")


def check_facts(source: Database, jobs: Relation, logs: Relation) -> Iterator[Finding]:
    """Say whether facts are used, and whether those of the newest jobs are right."""
    if not source.has_facts():
        if source.topology().is_distributed:
            yield ok(NONE_WHERE_DISTRIBUTED)
        elif jobs.kind in "rp" and logs.kind in "rp":
            yield _offer(source)
        return
    with source.transaction(timeout=TIMEOUT) as connection:
        if connection.execute(_LACKS_TRIGGERS).scalar_one():
            yield problem(
                "A trigger that keeps facts beside the jobs is missing or off on jobs, moderation_logs or a month, so "
                "that facts are not used: let the owner put it back, and run `python -m core facts rebuild`."
            )
            return
        if not are_complete(connection):
            yield advice(
                "The facts beside the jobs are not filled yet, so that filters of decisions and categories look at one "
                "job after the other: a server that runs fills them, or `python -m core facts rebuild` does."
            )
            return
    if not (source.counts_reasons() and source.writes_times()):
        yield _offer_newer(source)
    try:
        with source.transaction(timeout=TIMEOUT) as connection:
            wrong = connection.execute(_NEWEST_WRONG).scalar_one()
    except QueryTooSlow:
        yield advice("Whether facts are right could not be seen in time: `python -m core facts check` looks at all.")
        return
    if wrong:
        yield problem(
            f"{wrong:,} of the facts beside the newest jobs are not what the jobs say, as after triggers were off: run "
            "`python -m core facts rebuild`."
        )
        return
    yield ok("The facts beside the jobs are filled, and those of the newest jobs are right.")


def _find_schema(source: Database) -> str:
    with source.transaction(timeout=TIMEOUT) as connection:
        return str(
            connection.execute(
                text(
                    "SELECT quote_ident(nspname) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
                    " WHERE pg_class.oid = to_regclass('jobs')"
                )
            ).scalar_one()
        )


def _offer_newer(source: Database) -> Finding:
    """Offer what brings the facts of an owner up to those of today."""
    lacks, tables, count = [], tuple[str, ...](), tuple[str, ...]()
    if not source.counts_reasons():
        lacks.append("reasons are not counted with them, so that Categories reads all jobs of its days")
        tables = reasons.TABLES
        count = ("INSERT INTO job_counts (hour, code, total) SELECT DISTINCT hour, 0, 0 FROM job_counts",)
    if not source.writes_times():
        lacks.append("they hold no times as text, so that exports take a sixth more of the server's work")
    functions = (
        statement.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)
        for statement in list_functions(_find_schema(source))
    )
    return advice(
        f"The facts beside the jobs are of an earlier version: {', and '.join(lacks)}. As the owner, run these in the "
        "schema of jobs in a transaction, and grant SELECT on its new tables to the role of SOURCE_DATABASE_URL. Jobs "
        "that are there get what is new by `UPDATE job_facts_state SET is_complete = false, filled_to = NULL` and what "
        "has filled the facts before.",
        *(f"{statement};" for statement in (*tables, ADD_TIMES, *functions, *count)),
    )


def _offer(source: Database) -> Finding:
    schema = _find_schema(source)
    statements = (*TABLES, *list_functions(schema), *list_triggers("jobs"), *list_triggers("moderation_logs"))
    return advice(
        "Filters of decisions and categories look at one job after the other. Facts kept beside the jobs make them as "
        "quick as dates, for about 310 MB and half a minute of filling a million jobs, and about 0.8 ms more for "
        "each job and its log that are written one by one: as the owner, run these in the schema of jobs in a "
        "transaction, then `SELECT job_facts_fill_next()` until it gives nothing, and from cron each minute that,"
        " `SELECT job_facts_settle_some(5000)` and `SELECT job_counts_add_up(24)`; grant SELECT on the six tables to "
        "the role of SOURCE_DATABASE_URL.",
        *(f"{statement};" for statement in statements),
    )
