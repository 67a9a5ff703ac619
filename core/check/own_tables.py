"""Fencepost's own database: its tables, what the role may do there, and what it may not."""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from core.check.finding import Finding, advice, ok, problem
from core.db import migrations
from core.db.databases import Databases
from core.db.driver_errors import MIGRATE

# What the role needs (deploy/grants.sql), by table.
RIGHTS = {
    "alembic_version": ("SELECT",),
    "audit_events": ("SELECT", "INSERT"),
    **dict.fromkeys(("api_keys", "exports", "people", "sessions"), ("SELECT", "INSERT", "UPDATE")),
    **dict.fromkeys(("review_drafts", "review_claims"), ("SELECT", "INSERT", "UPDATE")),
    "reviews": ("SELECT", "INSERT", "UPDATE (superseded_at)"),
}
RIGHTS_WITH_JOBS = {
    "syncs": ("SELECT", "INSERT", "UPDATE"),
    **dict.fromkeys(("breakdown_counts", "breakdown_changes"), ("SELECT", "INSERT", "DELETE")),
}

_ROLE = text("SELECT quote_ident(current_user) AS name, pg_is_in_recovery() AS is_standby")

_LACKS = text("""
    SELECT right_ FROM unnest(CAST(:rights AS text[])) AS right_
    WHERE NOT CASE WHEN right_ LIKE 'UPDATE (%' THEN has_any_column_privilege(:table, 'UPDATE')
        ELSE has_table_privilege(:table, right_) END
""")

_AUDIT = text("""
    SELECT pg_has_role(relowner, 'USAGE') AS is_owner, has_table_privilege(oid, 'UPDATE') AS may_update,
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
    lacking = [
        (table, list(connection.execute(_LACKS, {"rights": list(rights), "table": table}).scalars()))
        for table, rights in (RIGHTS | (RIGHTS_WITH_JOBS if databases.jobs_are_ours else {})).items()
    ]
    for table, rights in lacking:
        if rights:
            yield problem(
                f"The role {role.name} lacks {', '.join(rights)} on {table}: "
                "grant it, as the owner (see docs/grants.md).",
                f"GRANT {', '.join(rights)} ON {table} TO {role.name};",
            )
    audit = connection.execute(_AUDIT).one()
    if audit.is_owner:
        say = ok if databases.server is not None else advice
        yield say(
            f"The role {role.name} owns audit_events: a trigger keeps it from changing rows, and an owner can drop a "
            "trigger; let MIGRATE_DATABASE_URL name the owner, and DATABASE_URL a lesser role (docs/grants.md)."
        )
    elif audit.may_update or audit.may_delete or audit.may_truncate:
        yield advice(
            f"The role {role.name} has more rights on audit_events than it needs: take them away, as the owner.",
            f"REVOKE UPDATE, DELETE, TRUNCATE ON audit_events FROM {role.name};",
        )
    else:
        yield ok(f"The role {role.name} can add to the audit, and change nothing in it.")
