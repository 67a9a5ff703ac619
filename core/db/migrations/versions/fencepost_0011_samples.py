"""Samples: decided jobs drawn by chance, and of how many of each kind."""

from alembic import op

revision = "fencepost_0011"
down_revision = "fencepost_0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE samples (
            sample_id uuid PRIMARY KEY,
            name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
            drawn_by text NOT NULL,
            drawn_at timestamptz NOT NULL DEFAULT now(),
            client_id text,
            filter jsonb NOT NULL,
            strata text[] NOT NULL,
            seed bigint NOT NULL
        )
    """)
    op.execute("""
        CREATE TABLE sample_strata (
            sample_id uuid NOT NULL REFERENCES samples,
            stratum integer NOT NULL,
            values jsonb NOT NULL,
            population bigint NOT NULL CHECK (population > 0),
            PRIMARY KEY (sample_id, stratum)
        )
    """)
    op.execute("""
        CREATE TABLE sample_jobs (
            sample_id uuid NOT NULL,
            job_id uuid NOT NULL,
            stratum integer NOT NULL,
            place integer NOT NULL,
            client_id text NOT NULL,
            job_created_at timestamptz NOT NULL,
            is_prohibited boolean NOT NULL,
            PRIMARY KEY (sample_id, job_id),
            UNIQUE (sample_id, place),
            FOREIGN KEY (sample_id, stratum) REFERENCES sample_strata
        )
    """)
