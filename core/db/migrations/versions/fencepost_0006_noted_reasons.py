"""What is noted of reasons: marked as underage by staff, or seen to be names of rules."""

from alembic import op

revision = "fencepost_0006"
down_revision = "fencepost_0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE noted_reasons (
            reason text PRIMARY KEY CHECK (length(reason) BETWEEN 1 AND 500),
            is_rule boolean NOT NULL DEFAULT false,
            is_underage boolean NOT NULL DEFAULT false,
            noted_at timestamptz NOT NULL DEFAULT now()
        )
    """)
