"""Syncs: what was pulled from other servers, so that a stop at any point loses and repeats nothing."""

from alembic import op

revision = "fencepost_0004"
down_revision = "fencepost_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # `done`: the ranges of created_at that need not be asked for again. No key is ever in here.
    op.execute("""
        CREATE TABLE syncs (
            url text NOT NULL,
            remote_client text NOT NULL,
            client_id text NOT NULL,
            done tstzmultirange NOT NULL,
            length interval NOT NULL,
            updated_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (url, remote_client, client_id)
        )
    """)
