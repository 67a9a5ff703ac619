"""Queues that people share, and in which queue or sample each verdict was given."""

from alembic import op

revision = "fencepost_0027"
down_revision = "fencepost_0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE queues (
            queue_id uuid PRIMARY KEY,
            name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
            owner text NOT NULL,
            saved_at timestamptz NOT NULL DEFAULT now(),
            client_id text,
            filter jsonb NOT NULL,
            is_growing boolean NOT NULL,
            kind text NOT NULL CHECK (kind IN ('new', 'second', 'disagreed', 'escalated')),
            is_oldest_first boolean NOT NULL,
            needs_note boolean NOT NULL,
            needs_categories boolean NOT NULL,
            last_day date,
            people text[],
            closed_at timestamptz
        )
    """)
    op.execute("ALTER TABLE reviews ADD COLUMN queue_id uuid")
    op.execute("CREATE INDEX reviews_queue ON reviews (queue_id, reviewed_at) WHERE queue_id IS NOT NULL")
