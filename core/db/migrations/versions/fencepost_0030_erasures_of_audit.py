"""An index of what was erased, which a page lists: a few events among all of the audit's."""

from alembic import op

revision = "fencepost_0030"
down_revision = "fencepost_0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE INDEX audit_events_erased ON audit_events (seq) WHERE event = 'jobs-erased'")
