"""The indexes of the source: what pages and exports need is planned, and what no index serves is said.

Only plans are asked for, so that a view with expressions is looked at like a table, and no row is read.
"""

import re
from collections.abc import Iterator

from sqlalchemy import Connection, text

from core.check.finding import Finding, advice, ok, problem
from core.check.plan import BITMAPS_ONLY, INDEXES_ONLY, Plan, explain
from core.check.relation import Relation, is_plain
from core.check.wanted_index import ENTRY, SORTED, TAKEN_APART, TRIGRAMS, Advisor, Wanted
from core.db.folding import Folding
from core.db.topology import topology_of

# Jobs beyond which pages and exports cannot do without the two first indexes.
MANY = 100_000

KEY = ("created_at", "job_id")
EVERYTHING = Wanted("pages and exports, all of them", KEY, "")
ONE_JOB = Wanted("opening one job", ("job_id",), "")
FILTERS = (
    Wanted("rejected jobs", KEY, "is_prohibited", "is_prohibited"),
    Wanted("undecided jobs", KEY, "is_prohibited IS NULL", "is_prohibited IS NULL"),
    Wanted("one client", ("client_id", *KEY), "client_id = 'x'"),
    Wanted("rejected jobs of one client", ("client_id", *KEY), "client_id = 'x' AND is_prohibited", "is_prohibited"),
    Wanted("the rare statuses", ("status", *KEY), "status = 'failed'", "status <> 'completed'"),
    Wanted("one type", ("type", *KEY), "type = 'x'"),
    Wanted("one API key", ("api_key_id", *KEY), "api_key_id = 'x'", "api_key_id IS NOT NULL"),
)

_INDEXES = text("""
    SELECT pg_get_indexdef(indexrelid, 0, true) AS definition, indisvalid AS is_valid,
        indexrelid::regclass::text AS name
    FROM pg_index WHERE indrelid = CAST(:oid AS oid)
""")

_TRIGRAMS = text("""
    SELECT (SELECT nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
            WHERE extname = 'pg_trgm') AS schema,
        EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm') AS is_available
""")


def check_indexes(connection: Connection, jobs: Relation, logs: Relation, folding: Folding) -> Iterator[Finding]:
    """Say which indexes there are, and which are missing. The first finding is about what everything needs."""
    if jobs.is_foreign or logs.is_foreign:
        yield advice(
            "The indexes of foreign tables are on their own servers and could not be looked at: see that each has "
            "those of docs/own-database.md."
        )
        return
    advisor = Advisor(connection, jobs)
    if advisor.table is None:
        yield advice(
            f"The indexes behind `jobs` could only be looked at by plans, because it is a view over {len(jobs.behind)} "
            "tables or does more than read one: write those that are missing by docs/own-database.md."
        )
    yield from _check_valid(connection, jobs, logs)
    of_logs = Advisor(connection, logs)
    base = explain(connection, EVERYTHING.statement, INDEXES_ONLY)
    found = [_check_needed(advisor, base), _check_logs(connection, of_logs, advisor.rows)]
    found += [_check_one_job(connection, advisor), *_check_filters(connection, advisor, base)]
    found.append(_check_search(connection, advisor, folding))
    yield from found
    has_expressions = advisor.has_expressions or of_logs.has_expressions
    if has_expressions and any(finding.statements for finding in found):
        yield advice(
            "PostgreSQL refuses an index over what is not IMMUTABLE, such as a cast of an enum to text: give the view "
            "an expression that is, or store it in a column (docs/own-database.md)."
        )


def _check_needed(advisor: Advisor, plan: Plan) -> Finding:
    columns, statements = ", ".join(EVERYTHING.columns), advisor.statements(EVERYTHING)
    if plan.is_bounded and not plan.is_sorted and not plan.is_partly_sorted:
        return ok(f"An index on jobs ({columns}) serves {EVERYTHING.purpose}.")
    cost = advisor.cost(advisor.rows, ENTRY, SORTED)
    if plan.is_bounded and not plan.is_sorted:
        return advice(
            f"An index on jobs ({columns}) would serve better than the one on created_at alone: make one, {cost}.",
            *statements,
        )
    say = problem if advisor.rows > MANY else advice
    return say(
        f"No index on jobs ({columns}) serves {EVERYTHING.purpose}, so that each reads and sorts all rows before the "
        f"first is seen: make one, {cost}.",
        *statements,
    )


def _check_logs(connection: Connection, advisor: Advisor, jobs: int) -> Finding:
    wanted = Wanted("the latest log of a job", ("job_id", "created_at", "log_id"), "")
    order = "ORDER BY created_at DESC, log_id DESC LIMIT 1"
    plan = explain(connection, f"SELECT FROM moderation_logs WHERE job_id = {_NO_JOB} {order}", INDEXES_ONLY)
    statements = advisor.statements(wanted)
    flags = ("category_ai_adult_general", "category_underage", "category_nsfw")
    if all(is_plain(advisor.expressions.get(flag, "(")) for flag in flags):
        included = ", ".join(advisor.expressions[flag] for flag in flags)
        statements = tuple(statement.replace(");", f") INCLUDE ({included});") for statement in statements)
    cost = advisor.cost(advisor.rows, ENTRY, SORTED)
    if plan.is_bounded and not plan.is_sorted and not plan.filters:
        return ok("An index on moderation_logs (job_id, created_at, log_id) serves the latest log of a job.")
    if plan.is_bounded and not plan.filters:
        return advice(
            "An index on moderation_logs begins with job_id; one that also has created_at and log_id spares a sort for "
            f"each job: {cost}.",
            *statements,
        )
    say = problem if max(advisor.rows, jobs) > MANY else advice
    return say(
        "No index on moderation_logs (job_id, created_at, log_id) serves the latest log of a job, so that each job of "
        f"an export reads all logs: make one, {cost}.",
        *statements,
    )


_NO_JOB = "'00000000-0000-0000-0000-000000000000'::uuid"


def _check_one_job(connection: Connection, advisor: Advisor) -> Finding:
    plan = explain(connection, f"SELECT FROM jobs WHERE job_id = {_NO_JOB}", INDEXES_ONLY)
    placed = topology_of(connection).jobs
    # A key that is unique across nodes has the column by which they are told apart.
    is_unique = not advisor.is_partitioned and (placed is None or placed.by_column == "job_id")
    if plan.is_bounded:
        return ok("An index on jobs (job_id) serves opening one job.")
    return advice(
        "No index on jobs (job_id) serves opening one job, so that each look reads all rows: make a unique one, "
        f"{advisor.cost(advisor.rows, ENTRY, SORTED)}.",
        *advisor.statements(ONE_JOB, unique="UNIQUE " if is_unique else ""),
    )


def _check_filters(connection: Connection, advisor: Advisor, base: Plan) -> Iterator[Finding]:
    """Say which filters have an index of their own; a filter without one reads what it does not show."""
    served = []
    defined = _definitions(connection, advisor.relation)
    for wanted in FILTERS:
        if any(column not in advisor.relation.columns or advisor.is_constant(column) for column in wanted.columns):
            continue
        plan = explain(connection, wanted.statement, INDEXES_ONLY)
        is_planned = plan.is_bounded and not plan.is_sorted and plan.filters == base.filters
        if is_planned or (", ".join(wanted.columns), wanted.rows) in defined:
            served.append(wanted.purpose)
            continue
        rows = explain(connection, f"SELECT FROM jobs WHERE {wanted.rows or 'true'}").rows
        where = f" WHERE {wanted.rows}" if wanted.rows else ""
        yield advice(
            f"No index on jobs ({', '.join(wanted.columns)}){where} serves the filter for {wanted.purpose}: make one "
            f"if it is often used, {advisor.cost(rows, ENTRY, SORTED)}.",
            *advisor.statements(wanted),
        )
    if served:
        yield ok(f"Indexes serve the filters for {', '.join(served)}.")


def _definitions(connection: Connection, relation: Relation) -> set[tuple[str, str]]:
    """Return columns and condition of each valid index of a table, written as those that are wanted."""
    found = set()
    for row in connection.execute(_INDEXES, {"oid": relation.oid}):
        form = re.search(r"USING btree \(([^()]*)\)(?: INCLUDE \([^()]*\))?(?: WHERE (.*))?$", row.definition)
        if form and row.is_valid:
            found.add((form[1], (form[2] or "").replace("::text", "")))
    return found


def _check_valid(connection: Connection, *relations: Relation) -> Iterator[Finding]:
    for relation in relations:
        for table in relation.tables:
            for row in connection.execute(_INDEXES, {"oid": table.oid}):
                if not row.is_valid:
                    yield advice(
                        f"The index {row.name} is not valid, as CREATE INDEX CONCURRENTLY leaves it when it fails: "
                        "drop it, and make it again.",
                        f"DROP INDEX CONCURRENTLY {row.name};",
                    )


def _check_search(connection: Connection, advisor: Advisor, folding: Folding) -> Finding:
    collate = f' COLLATE "{folding.collation}"' if folding.collation else ""
    pattern = f"lower('%harmless words%'{collate})"
    plan = explain(connection, f"SELECT FROM jobs WHERE lower(prompt{collate}) LIKE {pattern}", BITMAPS_ONLY)
    if plan.uses_bitmap:
        return ok("An index of trigrams serves searches in prompts.")
    found = connection.execute(_TRIGRAMS).one()
    if found.schema is None and not found.is_available:
        return advice(
            "Searches for what is rare read all prompts of the range: an index of pg_trgm would spare that, and this "
            "server does not have it; install PostgreSQL's contrib package, if searches matter."
        )
    extension = () if found.schema else ("CREATE EXTENSION pg_trgm;",)
    operators = "gin_trgm_ops" if found.schema is None else f"{found.schema}.gin_trgm_ops"
    wanted = Wanted("searches", ("prompt",), "")
    statements = advisor.statements(wanted, " USING gin", f"lower({{}}{collate}) {operators}")
    return advice(
        "No index of trigrams (pg_trgm) serves searches in prompts, so that one for what is rare reads all prompts of "
        f"the range: make one if searches matter, {advisor.cost(advisor.rows, TRIGRAMS, TAKEN_APART)}.",
        *(extension if statements else ()),
        *statements,
    )
