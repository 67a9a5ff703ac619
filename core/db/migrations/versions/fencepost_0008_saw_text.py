"""Whether the text of a job was shown to whoever judged it."""

from alembic import op

revision = "fencepost_0008"
down_revision = "fencepost_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Null: recorded before anybody was asked.
    op.execute("ALTER TABLE reviews ADD saw_text boolean")
