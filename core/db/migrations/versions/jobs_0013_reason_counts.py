"""Reasons counted by the hour beside the jobs, and which of them are names of rules: upkeep does it, no writer."""

from alembic import op
from sqlalchemy import text

from core.db.migrations import functions
from core.db.migrations.frozen_statements import read_statements
from core.db.migrations.locks import lock_tables

revision = "jobs_0013"
down_revision = "jobs_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    schema = functions.find_schema("jobs")
    if connection.execute(text("SELECT to_regclass('job_reasons') IS NULL")).scalar_one():
        for statement in read_statements("job_reasons_tables"):
            connection.exec_driver_sql(statement)
    lock_tables("job_facts")
    # Which the functions name by now.
    op.execute("""
        ALTER TABLE job_facts ADD COLUMN IF NOT EXISTS created_text text, ADD COLUMN IF NOT EXISTS completed_text text
    """)
    for statement in read_statements("job_facts_functions", schema):
        connection.exec_driver_sql(statement.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1))
    functions.seal_functions(schema, "^job_(facts_(of|add|settle|fill)|counts_add|reasons_(count$|learn))")
    # Every hour is to be added up once more, and its reasons are counted with that.
    op.execute("INSERT INTO job_counts (hour, code, total) SELECT DISTINCT hour, 0, 0 FROM job_counts")
