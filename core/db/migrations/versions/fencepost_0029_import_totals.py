"""What imports have brought, for monitors: an import is a process of its own, and its numbers would end with it."""

from alembic import op

revision = "fencepost_0029"
down_revision = "fencepost_0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE import_totals (
            origin text PRIMARY KEY CHECK (origin IN ('file', 'sync')),
            imports bigint NOT NULL DEFAULT 0,
            inserted bigint NOT NULL DEFAULT 0,
            updated bigint NOT NULL DEFAULT 0,
            unchanged bigint NOT NULL DEFAULT 0,
            set_aside bigint NOT NULL DEFAULT 0,
            seconds double precision NOT NULL DEFAULT 0
        )
    """)
    op.execute("INSERT INTO import_totals (origin) VALUES ('file'), ('sync')")
