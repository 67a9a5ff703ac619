"""Which exports hold verdicts and not jobs."""

from alembic import op

revision = "fencepost_0017"
down_revision = "fencepost_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE TABLE review_exports (export_id uuid PRIMARY KEY)")
