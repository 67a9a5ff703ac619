"""Holds that keep jobs from being erased, and the ids of those that were, so that none comes back unnoticed."""

from alembic import op

revision = "fencepost_0024"
down_revision = "fencepost_0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # What is null is not asked for; what is given is true of each job that is held.
    op.execute("""
        CREATE TABLE holds (
            hold_id uuid PRIMARY KEY,
            client_id text,
            job_id uuid,
            created_from timestamptz,
            created_to timestamptz,
            reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
            placed_by text NOT NULL,
            placed_at timestamptz NOT NULL DEFAULT now(),
            ended_by text,
            ended_at timestamptz,
            CHECK (num_nonnulls(client_id, job_id, created_from) > 0),
            CHECK ((created_from IS NULL) = (created_to IS NULL)),
            CHECK ((ended_by IS NULL) = (ended_at IS NULL))
        )
    """)
    op.execute("""
        CREATE TABLE erased_jobs (
            job_id uuid PRIMARY KEY,
            erased_at timestamptz NOT NULL DEFAULT now()
        )
    """)
