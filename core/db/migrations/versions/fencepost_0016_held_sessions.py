"""Sessions that the server holds: by what people know their own, and how one ends."""

from alembic import op

revision = "fencepost_0016"
down_revision = "fencepost_0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE sessions
            ADD ended_at timestamptz,
            ADD provider_session text,
            ADD id_token text,
            ADD remote_address text,
            ADD browser text
    """)
    # Until now a cookie said all of a sign-in; nobody can come by one any more.
    op.execute("UPDATE sessions SET ended_at = clock_timestamp()")
    op.execute("CREATE INDEX sessions_person ON sessions (person)")
