"""Job facts: what decision and latest log say of each job, kept beside the jobs by triggers; as statements of SQL.

`job_facts` has a row for each job, with its key in the order of exports, its client, a code of what was decided and of
what the latest log says, and its times as an export writes them, or null where these were not written yet;
core/jobs/fact_query.py has the codes in Python. `job_counts` holds how many jobs of a
client, and of all (null), have a code in an hour of `created_at`: rows to be added up, because who writes appends only.
`job_reason_counts` holds the same for each reason, by its hash, of hours that are added up.

Who writes jobs or logs never waits for another: a fact that somebody else has locked is not touched, and its job is
noted in `job_facts_unsettled`. Readers ask the jobs themselves about jobs that are noted there, until they are settled.
A job is also noted where it cannot be seen what else happens to it at the same time: a log before its job, or a
transaction that reads an older snapshot.
"""

from core.facts import code, filling, reasons, settling, writing

TABLES = (
    """CREATE TABLE job_facts (
    created_at timestamptz NOT NULL,
    job_id uuid NOT NULL,
    code smallint NOT NULL,
    client_id text NOT NULL,
    created_text text,
    completed_text text,
    PRIMARY KEY (created_at, job_id) INCLUDE (code)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02)""",
    # A page of any combination is the first rows of some parts of one of these indexes.
    "CREATE INDEX job_facts_code ON job_facts (code, created_at, job_id)",
    "CREATE INDEX job_facts_client ON job_facts (client_id, code, created_at, job_id)",
    """CREATE TABLE job_counts (
    hour timestamptz NOT NULL,
    client_id text,
    code smallint NOT NULL,
    total bigint NOT NULL,
    is_new boolean NOT NULL DEFAULT true
)""",
    "CREATE INDEX job_counts_client ON job_counts (client_id, hour, code) INCLUDE (total)",
    "CREATE INDEX job_counts_new ON job_counts (hour) WHERE is_new",
    # `gone_by`: once all transactions before it have ended, none is left that may bring a job that was not to be seen.
    """CREATE TABLE job_facts_unsettled (
    note_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id uuid NOT NULL,
    created_at timestamptz,
    gone_by xid8
)""",
    "CREATE INDEX job_facts_unsettled_job ON job_facts_unsettled (job_id)",
    # One row: the tables of jobs and logs that the facts are of, how far they are filled, and whether all are.
    "CREATE TABLE job_facts_state (relations oid[] NOT NULL, filled_to timestamptz, is_complete boolean NOT NULL)",
    "INSERT INTO job_facts_state VALUES ('{}', NULL, false)",
    *reasons.TABLES,
)

# What those of an earlier version lack.
ADD_TIMES = (
    "ALTER TABLE job_facts ADD COLUMN IF NOT EXISTS created_text text, ADD COLUMN IF NOT EXISTS completed_text text"
)


def list_functions(schema: str) -> list[str]:
    """List the statements that make the functions, which find their tables in one schema alone, named as in SQL."""
    path = f"SET search_path = pg_catalog, {schema}, pg_temp"
    statements = (code.FUNCTION, *reasons.FUNCTIONS, *settling.FUNCTIONS, *writing.FUNCTIONS, *filling.FUNCTIONS)
    return [statement.replace("{path}", path).strip() for statement in statements]


def list_triggers(table: str) -> list[str]:
    """List the statements that make the triggers of `jobs` or `moderation_logs`.

    Those of statements note a load of a million in one call. A replica calls none of these, but those of rows.
    """
    name, one = ("jobs", "job") if table == "jobs" else ("logs", "log")
    statements = []
    for event, rows, function in (
        ("INSERT", "NEW TABLE AS changed", f"job_facts_of_{name}"),
        ("DELETE", "OLD TABLE AS changed", f"job_facts_of_{name}"),
        ("UPDATE", "OLD TABLE AS previous NEW TABLE AS changed", f"job_facts_of_updated_{name}"),
    ):
        statements.append(
            f"CREATE TRIGGER job_facts_{event.lower()} AFTER {event} ON {table} REFERENCING {rows}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
        )
    # Before, because afterwards nobody knows which jobs they were.
    when = "BEFORE" if table == "jobs" else "AFTER"
    statements += [
        f"CREATE TRIGGER job_facts_truncate {when} TRUNCATE ON {table}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION job_facts_of_emptied_{name}()",
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER job_facts_truncate",
        f"CREATE TRIGGER job_facts_replica AFTER INSERT OR UPDATE OR DELETE ON {table}"
        f" FOR EACH ROW EXECUTE FUNCTION job_facts_of_replicated_{one}()",
        f"ALTER TABLE {table} ENABLE REPLICA TRIGGER job_facts_replica",
    ]
    return statements
