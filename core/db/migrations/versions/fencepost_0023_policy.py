"""What categories and reasons mean, in numbered versions; and under which one each verdict was given."""

from alembic import op

revision = "fencepost_0023"
down_revision = "fencepost_0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # One row a version, numbered over all subjects: of each the newest applies, and an empty text takes it back.
    op.execute("""
        CREATE TABLE policies (
            version bigint PRIMARY KEY,
            kind text NOT NULL CHECK (kind IN ('general', 'category', 'reason')),
            value text NOT NULL CHECK (kind <> 'general' OR value = ''),
            text text NOT NULL CHECK (length(text) <= 20000),
            written_by text NOT NULL,
            written_at timestamptz NOT NULL DEFAULT now(),
            earlier_count boolean NOT NULL
        )
    """)
    op.execute("CREATE INDEX policies_subject ON policies (kind, value, version)")
    # Null: there was none. Verdicts whose job a later version was about, which does not let them count, name it.
    op.execute("""
        ALTER TABLE reviews
            ADD COLUMN policy_version bigint,
            ADD COLUMN outdated_by bigint[] NOT NULL DEFAULT '{}'
    """)
