"""Which exports are no single snapshot, because servers behind the source took one each."""

from alembic import op

revision = "fencepost_0025"
down_revision = "fencepost_0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE exports ADD COLUMN snapshot text CHECK (snapshot = 'per-node')")
