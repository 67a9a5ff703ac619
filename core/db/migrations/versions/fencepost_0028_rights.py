"""Rights that admins give, what they are given by, and exports and samples of several clients."""

from alembic import op

revision = "fencepost_0028"
down_revision = "fencepost_0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE rights (
            kind text NOT NULL CHECK (kind IN ('person', 'domain', 'group')),
            provider text NOT NULL,
            name text NOT NULL,
            scopes text[] NOT NULL,
            clients text[],
            given_by text NOT NULL,
            given_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (kind, provider, name)
        )
    """)
    op.execute("ALTER TABLE sessions ADD groups text[] NOT NULL DEFAULT '{}', ADD last_seen_at timestamptz")
    op.execute("ALTER TABLE people ADD came_at timestamptz NOT NULL DEFAULT now()")
    op.execute("""
        UPDATE people SET came_at = least(
            signed_in_at, (SELECT min(first_seen_at) FROM sessions WHERE sessions.person = people.person)
        )
    """)
    op.execute("ALTER TABLE exports ADD clients text[]")
    # The wall of a sample was that of one client or none; a filter may have named one all the same.
    op.execute("ALTER TABLE samples ADD clients text[]")
    op.execute("""
        UPDATE samples SET clients = ARRAY[coalesce(client_id, filter ->> 'client_id')]
        WHERE coalesce(client_id, filter ->> 'client_id') IS NOT NULL
    """)
    # Whom a queue may be shown is said by the client that its filter names.
    op.execute("UPDATE queues SET client_id = filter ->> 'client_id'")
