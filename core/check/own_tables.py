"""Fencepost's own database: its tables, what the role may do there, and what it may not."""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from core.check.finding import Finding, advice, ok, problem
from core.db import grants, migrations
from core.db.databases import SHORTEST_AUDIT_KEY, Databases
from core.db.driver_errors import MIGRATE

_ROLE = text("""
    SELECT quote_ident(current_user) AS name, quote_ident(current_database()) AS database,
        pg_is_in_recovery() AS is_standby, current_setting('transaction_read_only')::boolean AS is_read_only,
        has_table_privilege(to_regclass('jobs'), 'DELETE')
            AND NOT has_database_privilege(current_database(), 'TEMPORARY') AS lacks_temporary
""")

_LACKS = text("""
    SELECT right_ FROM unnest(CAST(:rights AS text[])) AS right_
    WHERE NOT CASE WHEN right_ LIKE 'UPDATE (%' THEN (
            SELECT bool_and(has_column_privilege(:table, name, 'UPDATE'))
            FROM regexp_split_to_table(substring(right_ FROM '\\((.*)\\)'), ', ') AS name
        )
        ELSE has_table_privilege(:table, right_) END
""")

_LACKS_FUNCTIONS = text("""
    SELECT name FROM unnest(CAST(:names AS text[])) AS name
    WHERE NOT EXISTS (
        SELECT FROM pg_proc JOIN pg_class ON relnamespace = pronamespace
        WHERE proname = name AND pg_class.oid = to_regclass('audit_events')
            AND has_function_privilege(pg_proc.oid, 'EXECUTE')
    )
""")

# Who holds the lock of the audit's writers for longer than an event takes.
_HOLDERS = text("""
    SELECT pid, quote_ident(coalesce(usename, '?')) AS role, extract(epoch FROM now() - xact_start)::int AS seconds
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'relation' AND relation = to_regclass('audit_lock') AND granted AND mode <> 'AccessShareLock'
        AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND coalesce(xact_start < now() - interval '2 seconds', true)
    ORDER BY pid
""")

_AUDIT = text("""
    SELECT pg_has_role(relowner, 'USAGE') AS is_owner, has_table_privilege(oid, 'UPDATE') AS may_update,
        has_table_privilege(oid, 'INSERT') AS may_insert,
        has_table_privilege(oid, 'DELETE') AS may_delete, has_table_privilege(oid, 'TRUNCATE') AS may_truncate
    FROM pg_class WHERE oid = to_regclass('audit_events')
""")


def check_ours(connection: Connection, databases: Databases) -> Iterator[Finding]:
    """Look at our own database."""
    ours = databases.ours
    role = connection.execute(_ROLE).one()
    if not migrations.is_current(connection, with_jobs=databases.jobs_are_ours):
        yield problem(f"The tables in {ours.setting} are missing or old: {MIGRATE}.")
        return
    yield ok(f"Fencepost's own tables in {ours.setting} are those of this version.")
    if role.is_standby:
        yield problem(f"{ours.setting} is a standby, which cannot be written: name the primary.")
    elif role.is_read_only:
        yield problem(
            f"{ours.setting} cannot be written, because default_transaction_read_only is on: turn it off, for the role "
            f"{role.name}, the database or the server."
        )
    lacking = [
        (table, list(connection.execute(_LACKS, {"rights": list(rights), "table": table}).scalars()))
        for table, rights in {**grants.OURS, **(grants.WITH_JOBS if databases.jobs_are_ours else {})}.items()
    ]
    for table, rights in lacking:
        if rights:
            yield problem(
                f"The role {role.name} lacks {', '.join(rights)} on {table}: "
                "grant it, as the owner (see docs/grants.md).",
                f"GRANT {', '.join(rights)} ON {table} TO {role.name};",
            )
    if databases.jobs_are_ours and role.lacks_temporary:
        yield problem(
            f"The role {role.name} may write jobs and make no temporary tables, so that it can neither import nor erase"
            ": grant that, as the owner of the database.",
            f"GRANT TEMPORARY ON DATABASE {role.database} TO {role.name};",
        )
    functions = list(connection.execute(_LACKS_FUNCTIONS, {"names": list(grants.FUNCTIONS)}).scalars())
    if functions:
        yield problem(
            f"The role {role.name} may not call {' and '.join(functions)}, through which events get into the audit: "
            "grant it, as the owner (see docs/grants.md).",
            f"GRANT EXECUTE ON FUNCTION {', '.join(functions)} TO {role.name};",
        )
    for holder in connection.execute(_HOLDERS):
        yield problem(
            f"Process {holder.pid} of the role {holder.role} has been holding the audit's lock for "
            f"{holder.seconds or 0:,} s, and nothing can be recorded meanwhile: end it, if it is stuck.",
            f"SELECT pg_terminate_backend({holder.pid});",
        )
    audit = connection.execute(_AUDIT).one()
    if audit.is_owner:
        say = ok if databases.server is not None else advice
        yield say(
            f"The role {role.name} owns audit_events: a trigger keeps it from changing rows, and an owner can drop a "
            "trigger; let MIGRATE_DATABASE_URL name the owner, and DATABASE_URL a lesser role (docs/grants.md)."
        )
    elif audit.may_insert or audit.may_update or audit.may_delete or audit.may_truncate:
        yield advice(
            f"The role {role.name} has more rights on audit_events than it needs: take them away, as the owner.",
            f"REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON audit_events FROM {role.name};",
        )
    else:
        yield ok(f"The role {role.name} can add to the audit, and change nothing in it.")
    if databases.audit_key_is_short:
        yield advice(
            f"FENCEPOST_AUDIT_KEY has fewer than {SHORTEST_AUDIT_KEY} characters, and whoever guesses it can forge the "
            "audit: rotate it (docs/audit.md)."
        )
