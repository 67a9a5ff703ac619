"""How long rows are kept: the audit's oldest may go once a row of its own says so, and a task has its day."""

from alembic import op

from core.db.migrations import functions

revision = "fencepost_0021"
down_revision = "fencepost_0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    schema = functions.find_schema("audit_events")
    op.execute("""
        CREATE TABLE upkeep_tasks (
            task text PRIMARY KEY,
            begun_at timestamptz NOT NULL
        )
    """)
    op.execute("INSERT INTO upkeep_tasks VALUES ('forget', '-infinity')")
    # Without it each verdict that is removed would look through all of them for one that replaces it.
    op.execute("CREATE INDEX reviews_supersedes ON reviews (supersedes) WHERE supersedes IS NOT NULL")
    # What is removed must be the beginning of the chain, as far as its last row, a cut, says, and that row must carry
    # the hash on from which the rest continues.
    op.execute(f"""
        CREATE FUNCTION audit_events_refuse_removal() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            cut jsonb;
        BEGIN
            SELECT CASE event WHEN 'audit-cut' THEN details END INTO cut FROM {schema}.audit_events
                WHERE seq < 4611686018427387904 ORDER BY seq DESC LIMIT 1;
            IF (SELECT max(seq)::text FROM removed) = cut ->> 'through'
                AND EXISTS (
                    SELECT FROM removed
                    WHERE seq::text = cut ->> 'through' AND encode(hash, 'hex') = cut ->> 'hash'
                )
                AND NOT EXISTS (
                    SELECT FROM {schema}.audit_events WHERE seq < (SELECT max(seq) FROM removed)
                )
            THEN
                RETURN NULL;
            END IF;
            RAISE EXCEPTION 'audit_events is append-only: DELETE is refused' USING ERRCODE = 'raise_exception';
        END
        $$
    """)
    op.execute("DROP TRIGGER audit_events_append_only ON audit_events")
    op.execute("""
        CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR TRUNCATE ON audit_events
            FOR EACH STATEMENT EXECUTE FUNCTION audit_events_refuse_change()
    """)
    op.execute("""
        CREATE TRIGGER audit_events_remove_by_cut AFTER DELETE ON audit_events REFERENCING OLD TABLE AS removed
            FOR EACH STATEMENT EXECUTE FUNCTION audit_events_refuse_removal()
    """)
    functions.seal_functions(schema, "^audit_events_refuse_removal$")
