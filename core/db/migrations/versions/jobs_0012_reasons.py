"""An index that finds the jobs with one reason, in their order."""

from alembic import op

revision = "jobs_0012"
down_revision = "jobs_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Of a hash, because a reason may be longer than an entry of an index.
    op.execute("""
        CREATE INDEX jobs_reason ON jobs (hashtextextended(reason, 0), created_at, job_id) WHERE reason IS NOT NULL
    """)
