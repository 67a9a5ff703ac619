"""Reasons counted by the hour beside the jobs, and which of them are names of rules: upkeep does it, no writer.

The functions come with jobs_0014.
"""

from alembic import op
from sqlalchemy import text

from core.db.migrations.frozen_statements import read_statements

revision = "jobs_0013"
down_revision = "jobs_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    if connection.execute(text("SELECT to_regclass('job_reasons') IS NULL")).scalar_one():
        for statement in read_statements("job_reasons_tables"):
            connection.exec_driver_sql(statement)
    # Every hour is to be added up once more, and its reasons are counted with that.
    op.execute("INSERT INTO job_counts (hour, code, total) SELECT DISTINCT hour, 0, 0 FROM job_counts")
