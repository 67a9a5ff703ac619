"""How a sample is judged: by whom, until when, how often each job, and what is hidden meanwhile."""

from alembic import op

revision = "fencepost_0014"
down_revision = "fencepost_0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE samples
            ADD COLUMN opinions smallint NOT NULL DEFAULT 1 CHECK (opinions BETWEEN 1 AND 5),
            ADD COLUMN is_blind boolean NOT NULL DEFAULT true,
            ADD COLUMN needs_categories boolean NOT NULL DEFAULT false,
            ADD COLUMN last_day date,
            ADD COLUMN people text[]
    """)
