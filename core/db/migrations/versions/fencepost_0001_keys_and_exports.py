"""API keys and the receipts of exports."""

from alembic import op

revision = "fencepost_0001"
down_revision = None
branch_labels = ("fencepost",)
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE api_keys (
            key_id text PRIMARY KEY,
            name text NOT NULL,
            client_id text,
            scopes text[] NOT NULL,
            secret_sha256 bytea NOT NULL CHECK (length(secret_sha256) = 32),
            created_at timestamptz NOT NULL DEFAULT now(),
            expires_at timestamptz,
            revoked_at timestamptz
        )
    """)
    op.execute("""
        CREATE TABLE exports (
            export_id uuid PRIMARY KEY,
            requested_by text NOT NULL,
            via text NOT NULL CHECK (via IN ('api', 'dashboard', 'cli')),
            client_id text,
            filter jsonb NOT NULL,
            snapshot_at timestamptz,
            started_at timestamptz NOT NULL DEFAULT now(),
            heartbeat_at timestamptz NOT NULL DEFAULT now(),
            finished_at timestamptz,
            status text NOT NULL DEFAULT 'running'
                CHECK (status IN ('running', 'complete', 'interrupted', 'failed')),
            rows bigint NOT NULL DEFAULT 0,
            bytes bigint NOT NULL DEFAULT 0,
            sha256 text,
            CHECK ((status = 'running') = (finished_at IS NULL)),
            CHECK ((status = 'complete') = (sha256 IS NOT NULL))
        )
    """)
    # `verify` looks a file up by its hash; whoever comes by closes what has lost its heartbeat.
    op.execute("CREATE INDEX exports_sha256 ON exports (sha256) WHERE status = 'complete'")
    op.execute("CREATE INDEX exports_running ON exports (heartbeat_at) WHERE status = 'running'")
