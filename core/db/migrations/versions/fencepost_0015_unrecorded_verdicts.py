"""Verdicts that are being recorded, kept with their note until they are."""

from alembic import op

revision = "fencepost_0015"
down_revision = "fencepost_0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE review_drafts ADD COLUMN verdict text, ADD COLUMN categories text[]")
