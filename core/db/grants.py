"""What the application's role needs: the one place that says so; `deploy/grants.sql` is written by it."""

from collections.abc import Mapping

_ADD, _KEEP = ("SELECT", "INSERT"), ("SELECT", "INSERT", "UPDATE")

# By table, as they are granted.
OURS: Mapping[str, tuple[str, ...]] = {
    "alembic_version": ("SELECT",),
    "audit_events": ("SELECT",),
    **dict.fromkeys(("api_keys", "exports", "people", "sessions", "review_drafts", "review_claims", "syncs"), _KEEP),
    "reviews": (*_ADD, "UPDATE (superseded_at)"),
    **dict.fromkeys(("samples", "sample_strata", "sample_jobs"), _ADD),
}

# Only where the jobs are in the same database.
WITH_JOBS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("jobs", "moderation_logs"), ("SELECT",)),
    **dict.fromkeys(("breakdown_counts", "breakdown_changes"), (*_ADD, "DELETE")),
}

# Events get into the audit through these alone.
FUNCTIONS = ("audit_begin", "audit_append")


def write_grants(role: str) -> str:
    """Write the statements that grant a role what it needs, those of the jobs first."""
    lines = []
    for tables in (WITH_JOBS, OURS):
        for rights in dict.fromkeys(tables.values()):
            names = [table for table, wanted in tables.items() if wanted == rights]
            lines.append(f"GRANT {', '.join(rights)} ON {', '.join(names)} TO {role};")
    return "\n".join([*lines, f"GRANT EXECUTE ON FUNCTION {', '.join(FUNCTIONS)} TO {role};"]) + "\n"
