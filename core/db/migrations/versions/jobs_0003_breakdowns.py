"""Counts of jobs by the quarter of an hour, and triggers that note in which quarters something has changed since."""

from alembic import op

revision = "jobs_0003"
down_revision = "jobs_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE breakdown_counts (
            quarter timestamptz NOT NULL,
            client_id text NOT NULL,
            is_prohibited boolean,
            evaluated boolean NOT NULL,
            category_ai_adult_general boolean,
            category_underage boolean,
            category_nsfw boolean,
            total bigint NOT NULL
        )
    """)
    op.execute("CREATE INDEX breakdown_counts_quarter ON breakdown_counts (quarter, client_id)")
    # Append-only for whoever writes jobs, so that two writers at one time never wait for each other.
    op.execute("CREATE TABLE breakdown_changes (quarter timestamptz NOT NULL)")
    op.execute("CREATE INDEX breakdown_changes_quarter ON breakdown_changes (quarter)")
    _create_function("jobs", "SELECT created_at FROM changed")
    _create_function("jobs_update", "SELECT created_at FROM changed UNION ALL SELECT created_at FROM previous")
    _create_function("logs", "SELECT jobs.created_at FROM changed JOIN jobs USING (job_id)")
    _create_function(
        "logs_update",
        "SELECT jobs.created_at FROM (SELECT job_id FROM changed UNION ALL SELECT job_id FROM previous) AS either"
        " JOIN jobs USING (job_id)",
    )
    for table, name in (("jobs", "jobs"), ("moderation_logs", "logs")):
        for event, tables, function in (
            ("INSERT", "NEW TABLE AS changed", name),
            ("DELETE", "OLD TABLE AS changed", name),
            ("UPDATE", "OLD TABLE AS previous NEW TABLE AS changed", f"{name}_update"),
        ):
            op.execute(f"""
                CREATE TRIGGER breakdown_{event.lower()} AFTER {event} ON {table} REFERENCING {tables}
                    FOR EACH STATEMENT EXECUTE FUNCTION breakdown_note_{function}()
            """)
    # Emptying either table leaves nothing that could be right.
    op.execute("""
        CREATE FUNCTION breakdown_forget() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
            SET search_path FROM CURRENT AS $$
        BEGIN
            DELETE FROM breakdown_counts;
            DELETE FROM breakdown_changes;
            INSERT INTO breakdown_changes SELECT DISTINCT date_bin('15 minutes', created_at, '2000-01-01Z') FROM jobs;
            RETURN NULL;
        END
        $$
    """)
    for table in ("jobs", "moderation_logs"):
        op.execute(f"""
            CREATE TRIGGER breakdown_truncate AFTER TRUNCATE ON {table}
                FOR EACH STATEMENT EXECUTE FUNCTION breakdown_forget()
        """)
    # Nothing is counted yet.
    op.execute(
        "INSERT INTO breakdown_changes SELECT DISTINCT date_bin('15 minutes', created_at, '2000-01-01Z') FROM jobs"
    )


def _create_function(name: str, times: str) -> None:
    """Create a trigger function, which runs with the rights of its owner: writers of jobs need none on our tables."""
    op.execute(f"""
        CREATE FUNCTION breakdown_note_{name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
            SET search_path FROM CURRENT AS $$
        BEGIN
            INSERT INTO breakdown_changes
                SELECT DISTINCT date_bin('15 minutes', created_at, '2000-01-01Z') FROM ({times}) AS times;
            RETURN NULL;
        END
        $$
    """)
