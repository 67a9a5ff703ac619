"""Reviews: verdicts of staff on decisions, drafts of their notes, and claims that keep two people off one job."""

from alembic import op

revision = "fencepost_0003"
down_revision = "fencepost_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A row remembers the job as it was at that moment, because the job may live in another database.
    op.execute("""
        CREATE TABLE reviews (
            review_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            act_id uuid NOT NULL,
            person text NOT NULL,
            job_id uuid NOT NULL,
            client_id text NOT NULL,
            job_created_at timestamptz NOT NULL,
            is_prohibited boolean NOT NULL,
            evaluated boolean NOT NULL,
            category_ai_adult_general boolean,
            category_underage boolean,
            category_nsfw boolean,
            verdict text NOT NULL CHECK (verdict IN ('agree', 'overturn', 'unsure', 'escalate')),
            categories text[],
            note text CHECK (length(note) <= 4000),
            reviewed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            superseded_at timestamptz,
            supersedes bigint REFERENCES reviews,
            CHECK (verdict <> 'escalate' OR note IS NOT NULL)
        )
    """)
    # One current verdict a person and job; history stays.
    op.execute("CREATE UNIQUE INDEX reviews_current ON reviews (job_id, person) WHERE superseded_at IS NULL")
    op.execute("CREATE INDEX reviews_act ON reviews (act_id)")
    op.execute("""
        CREATE INDEX reviews_open ON reviews (verdict, job_created_at, job_id) WHERE superseded_at IS NULL
    """)
    op.execute("""
        CREATE TABLE review_drafts (
            person text NOT NULL,
            job_id uuid NOT NULL,
            note text NOT NULL CHECK (length(note) <= 4000),
            saved_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (person, job_id)
        )
    """)
    op.execute("""
        CREATE TABLE review_claims (
            job_id uuid PRIMARY KEY,
            person text NOT NULL,
            ends_at timestamptz NOT NULL
        )
    """)
