"""Facts of jobs on the last day that PostgreSQL knows, which ended the upkeep of all others."""

from alembic import op

from core.db.migrations import functions
from core.db.migrations.frozen_statements import read_statements

revision = "jobs_0015"
down_revision = "jobs_0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    schema = functions.find_schema("jobs")
    for statement in read_statements("job_facts_functions", schema):
        op.get_bind().exec_driver_sql(statement.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1))
    functions.seal_functions(schema, "^job_(facts_(of|add|settle|fill)|counts_add|reasons_(count$|learn))")
