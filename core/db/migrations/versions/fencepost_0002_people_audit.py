"""People, the life of keys, and the append-only audit."""

from alembic import op

revision = "fencepost_0002"
down_revision = "fencepost_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE people (
            person text PRIMARY KEY,
            address text NOT NULL,
            signed_in_at timestamptz NOT NULL DEFAULT now(),
            signed_out_at timestamptz,
            preferences jsonb NOT NULL DEFAULT '{}'
        )
    """)
    op.execute("""
        CREATE TABLE sessions (
            session text PRIMARY KEY,
            person text NOT NULL REFERENCES people,
            address text NOT NULL,
            provider text NOT NULL,
            is_verified boolean NOT NULL,
            authenticated_at timestamptz NOT NULL,
            first_seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            is_allowed boolean NOT NULL
        )
    """)
    op.execute("""
        ALTER TABLE api_keys
            ADD created_by text NOT NULL DEFAULT 'cli',
            ADD replaces text,
            ADD last_used_at timestamptz
    """)
    op.execute("ALTER TABLE api_keys ALTER created_by DROP DEFAULT")
    op.execute("""
        CREATE TABLE audit_events (
            seq bigint PRIMARY KEY,
            at timestamptz NOT NULL,
            event text NOT NULL,
            actor text NOT NULL,
            address text,
            remote_address text,
            subject text,
            details jsonb NOT NULL,
            hash bytea NOT NULL CHECK (length(hash) = 32)
        )
    """)
    op.execute("CREATE INDEX audit_events_at ON audit_events (at, seq)")
    op.execute("CREATE INDEX audit_events_actor ON audit_events (actor, seq)")
    op.execute("""
        CREATE FUNCTION audit_events_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'audit_events is append-only: % is refused', TG_OP USING ERRCODE = 'raise_exception';
        END
        $$
    """)
    op.execute("""
        CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
            FOR EACH STATEMENT EXECUTE FUNCTION audit_events_refuse_change()
    """)
    # An admin's list of exports, and one's own, newest first.
    op.execute("CREATE INDEX exports_started ON exports (started_at, export_id)")
    op.execute("CREATE INDEX exports_requested_by ON exports (requested_by, started_at, export_id)")
