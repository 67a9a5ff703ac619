"""Networks that keys are bound to."""

from alembic import op

revision = "fencepost_0019"
down_revision = "fencepost_0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE api_keys ADD networks text[]")
