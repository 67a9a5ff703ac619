"""Triggers of moderation logs that find their jobs by a plan for as many as there are."""

from alembic import op

revision = "jobs_0006"
down_revision = "jobs_0005"
branch_labels = None
depends_on = None

_QUARTER = "date_bin('15 minutes', job.created_at, '2000-01-01Z')"


def upgrade() -> None:
    _replace_function("logs", "SELECT job_id FROM changed")
    _replace_function("logs_update", "SELECT job_id FROM changed UNION ALL SELECT job_id FROM previous")


def _replace_function(name: str, logs: str) -> None:
    """Replace a trigger function.

    A session keeps the plans of a function's statements. One that was made while there were few jobs would read all of
    them for each batch of a load, however many they are by then. So a few logs look their jobs up one by one, whatever
    PostgreSQL estimates (OFFSET 0 keeps the subquery apart), and many, by EXECUTE, get a plan of their own.
    """
    op.execute(f"""
        CREATE OR REPLACE FUNCTION breakdown_note_{name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
            SET search_path FROM CURRENT AS $$
        BEGIN
            PERFORM FROM changed OFFSET 100 LIMIT 1;
            IF FOUND THEN
                EXECUTE $statement$
                    INSERT INTO breakdown_changes
                        SELECT DISTINCT {_QUARTER} FROM ({logs}) AS logs JOIN jobs AS job USING (job_id)
                $statement$;
            ELSE
                INSERT INTO breakdown_changes
                    SELECT DISTINCT {_QUARTER} FROM ({logs}) AS logs
                    CROSS JOIN LATERAL (SELECT created_at FROM jobs WHERE job_id = logs.job_id OFFSET 0) AS job;
            END IF;
            RETURN NULL;
        END
        $$
    """)
