"""An index for searches in prompts, where the server has `pg_trgm` and the role may use it."""

from alembic import op

revision = "jobs_0004"
down_revision = "jobs_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Folded as `Database.folding` in core/db decides: under a database's own locale, which may be C, pg_trgm alone
    # would not find `É` by `é`.
    op.execute("""
        DO $$
        DECLARE
            operators text;
            folded text;
        BEGIN
            BEGIN
                CREATE EXTENSION IF NOT EXISTS pg_trgm;
            EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
                RETURN;
            END;
            SELECT format('%I.gin_trgm_ops', nspname) INTO operators
                FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'pg_trgm';
            SELECT format('prompt COLLATE %I', min(collname)) INTO folded FROM pg_collation
                WHERE collname IN ('pg_c_utf8', 'und-x-icu') AND pg_encoding_to_char(collencoding) IN ('', 'UTF8')
                HAVING count(*) > 0;
            EXECUTE format('CREATE INDEX jobs_prompt_search ON jobs USING gin (lower(%s) %s)',
                coalesce(folded, 'prompt'), operators);
        END
        $$
    """)
