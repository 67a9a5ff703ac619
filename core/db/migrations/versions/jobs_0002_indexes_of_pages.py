"""Indexes for what pages filter by; the latest log is read from its index alone."""

from alembic import op

revision = "jobs_0002"
down_revision = "jobs_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The flags ride along, so that the join reads no row of the table: a tenth of an export's time.
    op.execute("""
        CREATE INDEX moderation_logs_latest_flags ON moderation_logs (job_id, created_at, log_id)
            INCLUDE (category_ai_adult_general, category_underage, category_nsfw)
    """)
    op.execute("DROP INDEX moderation_logs_latest")
    # What is rare is found without reading what is not: undecided jobs, all statuses but `completed`, each type.
    op.execute("CREATE INDEX jobs_undecided ON jobs (created_at, job_id) WHERE is_prohibited IS NULL")
    op.execute("CREATE INDEX jobs_status ON jobs (status, created_at, job_id) WHERE status <> 'completed'")
    op.execute("CREATE INDEX jobs_type ON jobs (type, created_at, job_id)")
