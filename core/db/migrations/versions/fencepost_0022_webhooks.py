"""Endpoints of webhooks, the outbox of what they are told, and when a sample was finished."""

from alembic import op

revision = "fencepost_0022"
down_revision = "fencepost_0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE webhook_endpoints (
            endpoint_id uuid PRIMARY KEY,
            url text NOT NULL,
            client_id text,
            events text[] NOT NULL,
            secret text,
            created_by text NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            paused_at timestamptz,
            removed_at timestamptz,
            CHECK ((secret IS NULL) = (removed_at IS NOT NULL))
        )
    """)
    op.execute("""
        CREATE TABLE webhook_deliveries (
            delivery_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            endpoint_id uuid NOT NULL REFERENCES webhook_endpoints,
            message_id text NOT NULL UNIQUE,
            event text NOT NULL,
            body text NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            attempts smallint NOT NULL DEFAULT 0,
            due_at timestamptz NOT NULL DEFAULT now(),
            last_status smallint,
            last_error text,
            delivered_at timestamptz,
            given_up_at timestamptz
        )
    """)
    op.execute("""
        CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, due_at, delivery_id)
        WHERE delivered_at IS NULL AND given_up_at IS NULL
    """)
    op.execute("ALTER TABLE samples ADD finished_at timestamptz")
    # Which samples a verdict is for.
    op.execute("CREATE INDEX sample_jobs_job ON sample_jobs (job_id)")
