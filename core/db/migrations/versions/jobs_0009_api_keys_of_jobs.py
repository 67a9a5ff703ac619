"""Which API key a job was submitted with, where that is known."""

from alembic import op

revision = "jobs_0009"
down_revision = "jobs_0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE jobs ADD COLUMN api_key_id text, ADD COLUMN api_key_name text")
    # Most jobs have none, or one of a few keys that submit all the time: only those with one are worth an entry.
    op.execute("CREATE INDEX jobs_api_key ON jobs (api_key_id, created_at, job_id) WHERE api_key_id IS NOT NULL")
