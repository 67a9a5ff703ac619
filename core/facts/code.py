"""What a job's fact is, in SQL: the code of its decision and latest log, and its times as text."""

CATEGORIES = ("category_ai_adult_general", "category_underage", "category_nsfw")

LATEST = f"""LEFT JOIN LATERAL (
            SELECT true AS evaluated, {", ".join(CATEGORIES)} FROM moderation_logs
            WHERE moderation_logs.job_id = job.job_id
            ORDER BY moderation_logs.created_at DESC, moderation_logs.log_id DESC LIMIT 1
        ) AS log ON true"""

CODE = f"job_facts_code(job.is_prohibited, log.evaluated, {', '.join(f'log.{name}' for name in CATEGORIES)})"


# How an export writes a time that is in UTC already.
FIXED_WIDTH = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""


def write_time(column: str) -> str:
    """Write a time as an export does (core/csv/format.py)."""
    return f"to_char({column} AT TIME ZONE 'UTC', {FIXED_WIDTH})"


CREATED, COMPLETED = write_time("job.created_at"), write_time("job.completed_at")

HOUR = "date_bin('1 hour', created_at, '2000-01-01Z')"

FUNCTION = """
CREATE FUNCTION job_facts_code(decided boolean, evaluated boolean, adult boolean, underage boolean, nsfw boolean)
RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    28 * CASE decided WHEN true THEN 2 WHEN false THEN 1 ELSE 0 END
    + CASE WHEN evaluated THEN
        1 + 9 * CASE adult WHEN true THEN 2 WHEN false THEN 1 ELSE 0 END
        + 3 * CASE underage WHEN true THEN 2 WHEN false THEN 1 ELSE 0 END
        + CASE nsfw WHEN true THEN 2 WHEN false THEN 1 ELSE 0 END
    ELSE 0 END
)::smallint"""
