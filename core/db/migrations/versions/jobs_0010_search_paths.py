"""Functions of the jobs' triggers that find their tables whatever a session has made in `pg_temp`."""

from alembic import op

from core.db.migrations import functions

revision = "jobs_0010"
down_revision = "jobs_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    schema = functions.find_schema("jobs")
    op.execute(f"""
        DO $migration$
        BEGIN
            IF to_regprocedure('jobs_delete_logs()') IS NOT NULL THEN
                CREATE OR REPLACE FUNCTION jobs_delete_logs() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
                BEGIN
                    DELETE FROM {schema}.moderation_logs AS log USING deleted WHERE log.job_id = deleted.job_id;
                    RETURN NULL;
                END
                $$;
            END IF;
        END
        $migration$
    """)
    functions.seal_functions(schema, "^(jobs|breakdown)_")
