"""What the application's role needs: the one place that says so; `deploy/grants.sql` is written by it."""

from collections.abc import Mapping

_ADD, _KEEP = ("SELECT", "INSERT"), ("SELECT", "INSERT", "UPDATE")
# What is worth nothing after a while; evidence is removed by the owner alone.
_PASSING = (*_KEEP, "DELETE")

# By table, as they are granted.
OURS: Mapping[str, tuple[str, ...]] = {
    "alembic_version": ("SELECT",),
    **dict.fromkeys(("audit_events", "erased_jobs"), ("SELECT",)),
    **dict.fromkeys(("upkeep_tasks", "gold_settings", "import_totals"), ("SELECT", "UPDATE")),
    **dict.fromkeys(("api_keys", "exports", "people", "syncs", "noted_reasons", "webhook_endpoints"), _KEEP),
    **dict.fromkeys(("gold_answers", "gold_turns", "queues"), _KEEP),
    **dict.fromkeys(("sessions", "review_drafts", "review_claims", "webhook_deliveries", "rights"), _PASSING),
    "reviews": (*_ADD, "UPDATE (superseded_at, outdated_by)"),
    "samples": (*_ADD, "UPDATE (finished_at, people, last_day)"),
    **dict.fromkeys(("sample_strata", "sample_jobs", "review_exports"), _ADD),
    "holds": (*_ADD, "UPDATE (ended_by, ended_at)"),
    "policies": (*_ADD, "UPDATE (earlier_count)"),
}

# Only where the jobs are in the same database.
WITH_JOBS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("jobs", "moderation_logs"), ("SELECT",)),
    **dict.fromkeys(
        ("job_facts", "job_counts", "job_facts_unsettled", "job_reason_counts", "job_reasons"), ("SELECT",)
    ),
    "job_facts_state": ("SELECT", "UPDATE"),
}

# Events get into the audit through these alone.
FUNCTIONS = ("audit_begin", "audit_append")

# What fills and settles facts beside the jobs, and adds counts up.
FUNCTIONS_WITH_JOBS = ("job_facts_fill_next", "job_facts_settle_some", "job_counts_add_up")


def write_grants(role: str) -> str:
    """Write the statements that grant a role what it needs, those of the jobs first."""
    lines = []
    for tables in (WITH_JOBS, OURS):
        for rights in dict.fromkeys(tables.values()):
            names = [table for table, wanted in tables.items() if wanted == rights]
            lines.append(f"GRANT {', '.join(rights)} ON {', '.join(names)} TO {role};")
    lines += [f"GRANT EXECUTE ON FUNCTION {', '.join(names)} TO {role};" for names in (FUNCTIONS_WITH_JOBS, FUNCTIONS)]
    return "\n".join(lines) + "\n"
