"""Whether the provider has said when somebody signed in there."""

from alembic import op

revision = "fencepost_0020"
down_revision = "fencepost_0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE sessions ADD is_time_said boolean NOT NULL DEFAULT false")
