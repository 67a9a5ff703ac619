"""An index that finds the jobs with the same prompt."""

from alembic import op

revision = "jobs_0005"
down_revision = "jobs_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Of a hash, because a prompt may be longer than an entry of an index.
    op.execute("CREATE INDEX jobs_same_prompt ON jobs (hashtextextended(prompt, 0))")
