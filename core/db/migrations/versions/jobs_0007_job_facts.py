"""Facts of each job, kept beside the jobs by triggers, in place of counts by the quarter of an hour."""

from alembic import op
from sqlalchemy import text

from core.db.migrations import functions
from core.db.migrations.frozen_statements import read_statements
from core.db.migrations.locks import lock_tables

revision = "jobs_0007"
down_revision = "jobs_0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    lock_tables("jobs", "moderation_logs")
    # What was counted by the quarter goes, with the triggers that noted what had changed.
    old = "SELECT DISTINCT proname FROM pg_proc "
    old += " WHERE proname ^@ 'breakdown_' AND pronamespace = current_schema::regnamespace"
    for name in connection.execute(text(old)).scalars().all():
        op.execute(f"DROP FUNCTION {name}() CASCADE")
    op.execute("DROP TABLE breakdown_counts, breakdown_changes")
    schema = functions.find_schema("jobs")
    for name in ("job_facts_tables", "job_reasons_tables", "job_facts_functions"):
        for statement in read_statements(name, schema):
            connection.exec_driver_sql(statement)
    functions.seal_functions(schema, "^job_(facts_(of|add|settle|fill)|counts_add|reasons_(count$|learn))")
    tables = (
        connection.execute(
            text("SELECT relid::regclass::text FROM pg_partition_tree('jobs') WHERE level > 0 ORDER BY 1")
        )
        .scalars()
        .all()
    )
    triggers = read_statements("job_facts_triggers")
    for statement in triggers:
        connection.exec_driver_sql(statement)
    # Months have the triggers of statements themselves; those of rows come down to them.
    for table in tables:
        for statement in triggers:
            if " moderation_logs " not in statement and "replica" not in statement:
                connection.exec_driver_sql(
                    statement.replace(" ON jobs ", f" ON {table} ").replace(" TABLE jobs ", f" TABLE {table} ")
                )
    if connection.execute(text("SELECT NOT EXISTS (SELECT FROM jobs)")).scalar_one():
        # Nothing is to be filled.
        op.execute("UPDATE job_facts_state SET relations = job_facts_relations(), is_complete = true")
