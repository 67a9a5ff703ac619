"""Locks that migrations take while others read."""

from alembic import op

# How often a lock is tried for, and for how long each time: whoever waits for it keeps all others waiting.
_ATTEMPTS, _LOCK_TIMEOUT = 600, "1s"


def lock_tables(*tables: str) -> None:
    """Keep everybody else from tables, in short attempts, before anything else: an export may read them for hours."""
    op.execute(f"""
        DO $$
        BEGIN
            FOR attempt IN 1..{_ATTEMPTS} LOOP
                BEGIN
                    SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}';
                    LOCK TABLE {", ".join(tables)} IN ACCESS EXCLUSIVE MODE;
                    SET LOCAL lock_timeout = 0;
                    RETURN;
                EXCEPTION WHEN lock_not_available THEN
                    PERFORM pg_sleep(1);
                END;
            END LOOP;
            RAISE lock_not_available USING MESSAGE = 'the tables of jobs are in use';
        END
        $$
    """)
