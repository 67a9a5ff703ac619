"""What holds the rows of a table or view."""

# Finds what holds the rows of the table or view `:relation`: tables behind views, and partitions. A view's rule depends
# on what the view reads; a materialized view holds its rows itself.
BEHIND = """
    WITH RECURSIVE behind (oid) AS (
        SELECT CAST(to_regclass(:relation) AS oid)
        UNION
        SELECT next.oid FROM behind CROSS JOIN LATERAL (
            SELECT refobjid AS oid FROM pg_rewrite
                JOIN pg_depend ON classid = 'pg_rewrite'::regclass AND objid = pg_rewrite.oid
                JOIN pg_class ON pg_class.oid = ev_class AND relkind = 'v'
                WHERE ev_class = behind.oid AND refclassid = 'pg_class'::regclass
            UNION ALL
            SELECT inhrelid FROM pg_inherits WHERE inhparent = behind.oid
        ) AS next
    )
"""
