"""Times beside the jobs as an export writes them. Jobs that are there keep their facts, which go on without."""

from alembic import op

from core.db.migrations import functions
from core.db.migrations.frozen_statements import read_statements
from core.db.migrations.locks import lock_tables

revision = "jobs_0014"
down_revision = "jobs_0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    schema = functions.find_schema("jobs")
    lock_tables("job_facts")
    op.execute("""
        ALTER TABLE job_facts ADD COLUMN IF NOT EXISTS created_text text, ADD COLUMN IF NOT EXISTS completed_text text
    """)
    for statement in read_statements("job_facts_functions", schema):
        op.get_bind().exec_driver_sql(statement.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1))
    functions.seal_functions(schema, "^job_(facts_(of|add|settle|fill)|counts_add|reasons_(count$|learn))")
