"""The function that keeps the audit append-only finds its names whatever a session has made in `pg_temp`."""

from core.db.migrations import functions

revision = "fencepost_0005"
down_revision = "fencepost_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    functions.seal_functions(functions.find_schema("audit_events"), "^audit_")
