"""Erasing jobs for good: their rows, and every copy of their texts in our tables; what only counts stays.

One transaction, with its event. What the files still hold afterwards is the business of core/keeping/traces.py.
"""

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, text

from core.actor import Actor
from core.audit.events import Event, append
from core.counts.fact_upkeep import keep_facts
from core.db.databases import Databases
from core.db.topology import topology_of
from core.errors import NotPossible
from core.keeping.holds import refuse_held
from core.keeping.survey import Survey, Target, find_exports
from core.program import COMMAND

# Exports that an event names; of more only the number is told.
MOST_NAMED = 200

# What is written in place of a reason that told strata of a sample apart.
ERASED = "(erased)"

# Characters of a reason that tell strata of a sample apart (core/jobs/strata.py).
_STRATUM = 200

_CREATE = """
    CREATE TEMPORARY TABLE erased (
        job_id uuid, client_id text, created_at timestamptz, digest bytea, stratum bytea, reason_hash bigint,
        prompt_hash bigint
    ) ON COMMIT DROP
"""

# Only hashes are kept of the texts, and those until the end of the transaction.
_DELETE = """
    WITH gone AS (DELETE FROM jobs AS job WHERE {condition} RETURNING job_id, client_id, created_at, reason, prompt)
    INSERT INTO erased
    SELECT job_id, client_id, created_at, sha256(convert_to(nullif(reason, ''), 'UTF8')),
        sha256(convert_to(left(nullif(reason, ''), :stratum), 'UTF8')), hashtextextended(reason, 0),
        hashtextextended(prompt, 0)
    FROM gone
"""

# Whose the jobs were, and from when to when, also by what others have said of them.
_SEEN = """
    SELECT min(client_id), min(created_at), max(created_at) FROM (
        SELECT client_id, created_at FROM erased WHERE client_id IS NOT NULL
        UNION ALL SELECT client_id, job_created_at FROM reviews AS job WHERE {condition}
    ) AS known
"""

# Logs go by a trigger, which tells nobody. Where other nodes count for themselves, or a server was told to count
# nothing, they are counted before.
_GONE_LOGS = "SELECT pg_stat_get_xact_tuples_deleted(CAST('moderation_logs' AS regclass))"
_COUNTS_GONE = "SELECT CAST(CAST(current_setting('track_counts') AS boolean) AS integer)"
_LOGS = "SELECT count(*) FROM moderation_logs JOIN jobs AS job USING (job_id) WHERE {condition}"

# What others have said of jobs, whether these are here or not.
_NOTE_IDS = """
    INSERT INTO erased (job_id)
    SELECT job_id FROM reviews AS job WHERE {condition} UNION SELECT job_id FROM sample_jobs AS job WHERE {condition}
    UNION SELECT CAST(:job_id AS uuid) WHERE CAST(:job_id AS uuid) IS NOT NULL
    EXCEPT SELECT job_id FROM erased
"""

_DELETE_DRAFTS = """
    WITH gone AS (DELETE FROM review_drafts WHERE job_id IN (SELECT job_id FROM erased) RETURNING note)
    SELECT count(*) FROM gone WHERE note <> ''
"""

# A verdict that calls for others needs a note, if an empty one.
_EMPTY_NOTES = """
    UPDATE reviews SET note = CASE verdict WHEN 'escalate' THEN '' END
    WHERE note <> '' AND job_id IN (SELECT job_id FROM erased)
"""

_EMPTY_COPIES = (
    "DELETE FROM review_claims WHERE job_id IN (SELECT job_id FROM erased)",
    "UPDATE gold_turns SET note = NULL WHERE note IS NOT NULL AND job_id IN (SELECT job_id FROM erased)",
    # Nobody is asked about what is gone; what was said to it still counts.
    "DELETE FROM gold_answers WHERE job_id IN (SELECT job_id FROM erased)",
)

# Reasons that no job has any more: each is looked for until the first job that has it.
_GONE_REASONS = """
    CREATE TEMPORARY TABLE gone_reasons ON COMMIT DROP AS
    SELECT digest FROM (SELECT DISTINCT digest, reason_hash FROM erased WHERE digest IS NOT NULL) AS once
    WHERE NOT EXISTS (
        SELECT FROM jobs WHERE hashtextextended(reason, 0) = once.reason_hash AND reason IS NOT NULL
            AND sha256(convert_to(reason, 'UTF8')) = once.digest
    )
"""

# The same where no node can be asked for one row after the other: which of them jobs still have.
_GONE_REASONS_OF_NODES = """
    CREATE TEMPORARY TABLE gone_reasons ON COMMIT DROP AS
    SELECT digest FROM erased WHERE digest IS NOT NULL EXCEPT
    SELECT sha256(convert_to(reason, 'UTF8')) FROM jobs
    WHERE reason IS NOT NULL AND hashtextextended(reason, 0) IN (SELECT reason_hash FROM erased) GROUP BY reason
"""

# They go from wherever they are noted; of the others only the hashes of erased prompts.
_FORGET_REASONS = (
    "DELETE FROM job_reasons WHERE digest IN (SELECT digest FROM gone_reasons)",
    """
    UPDATE job_reasons SET prompts = ARRAY(SELECT unnest(prompts) EXCEPT SELECT unnest(once.hashes))
    FROM (SELECT digest, array_agg(DISTINCT prompt_hash) AS hashes FROM erased GROUP BY digest) AS once
    WHERE job_reasons.digest = once.digest AND prompts && once.hashes
    """,
    "DELETE FROM noted_reasons WHERE sha256(convert_to(reason, 'UTF8')) IN (SELECT digest FROM gone_reasons)",
    """
    UPDATE sample_strata SET values = jsonb_set(sample_strata.values, ARRAY[place], to_jsonb(CAST(:erased AS text)))
    FROM (SELECT sample_id, (array_position(strata, 'reason') - 1)::text AS place FROM samples) AS sample
    WHERE sample.sample_id = sample_strata.sample_id
        AND sha256(convert_to(sample_strata.values ->> place::int, 'UTF8')) IN (
            SELECT digest FROM gone_reasons UNION SELECT stratum FROM erased WHERE stratum <> digest
        )
    """,
)


def erase(databases: Databases, by: Actor, target: Target) -> Survey:
    """Erase a target, all or nothing; return what was erased. Ids are kept, so that no import brings a job back.

    Verdicts stay without their notes, and so do samples. Raises `NotPossible` under a hold, and where there is nothing.
    Where the jobs are not ours only our own copies go, and that is said by `explain_source`.
    """
    ours, condition, parameters = databases.jobs_are_ours, target.condition, target.parameters
    tables = {"reviews": "job_created_at", "sample_jobs": "job_created_at"} | ({"jobs": "created_at"} if ours else {})
    with databases.ours.transaction() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0"))
        # An import that is under way ends first; the next one knows what was erased.
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('fencepost imports', 0))"))
        refuse_held(connection, condition, parameters, tables=tables)
        found = _erase(connection, target, jobs_are_ours=ours)
        if found.is_empty and ours:
            whom = f"the job {target.job_id}" if target.job_id is not None else f"the client {target.client_id}"
            raise NotPossible(
                f"There is nothing to erase for {whom}: look whether the id is right. What is erased already may be "
                f"left in the files until `{COMMAND} erase --traces`."
            )
        # From here on no export can begin before all this is committed.
        connection.execute(text("SELECT FROM audit_begin()"))
        client_id, first, last = connection.execute(text(_SEEN.format(condition=condition)), parameters).one()
        if client_id is not None:
            found = replace(found, exports=find_exports(connection, target, client_id, first, last))
        subject = target.client_id if target.job_id is None else str(target.job_id)
        details = _details(target, found)
        append(connection, databases.audit_key, Event.JOBS_ERASED, by, subject=subject, details=details)
    if ours:
        keep_facts(databases.ours)
    return found


def explain_source(databases: Databases, target: Target) -> str:
    """Say who has to erase the jobs themselves, where they are not ours."""
    return (
        f"Notes and drafts about {target} are erased here. The jobs themselves live in {databases.source.setting}, "
        "which Fencepost never writes: whoever owns that database must delete them there, with their moderation logs."
    )


def _erase(connection: Connection, target: Target, *, jobs_are_ours: bool) -> Survey:
    """Erase a target and count that: what others write meanwhile is erased, too, once it is seen."""
    condition, parameters = target.condition, target.parameters

    def count(query: str, parameters: dict[str, object] | None = None) -> int:
        return int(connection.execute(text(query), parameters or {}).scalar_one())

    connection.execute(text(_CREATE))
    jobs = logs = 0
    if jobs_are_ours:
        is_distributed = topology_of(connection).is_distributed
        is_counting = not is_distributed and count(_COUNTS_GONE)
        if not is_counting:
            logs = count(_LOGS.format(condition=condition), parameters)
        deletion = text(_DELETE.format(condition=condition))
        jobs = connection.execute(deletion, parameters | {"stratum": _STRATUM}).rowcount
        if is_counting:
            logs = count(_GONE_LOGS)
        # More may have come in since the first look at holds.
        refuse_held(connection, "true", {}, tables={"erased": "created_at"})
        connection.execute(text("INSERT INTO erased_jobs (job_id) SELECT job_id FROM erased ON CONFLICT DO NOTHING"))
        gone = _GONE_REASONS_OF_NODES if is_distributed else _GONE_REASONS
        for statement in (gone, *_FORGET_REASONS):
            connection.execute(text(statement), {"erased": ERASED} if ":erased" in statement else {})
    # What is being written about these jobs ends first; `hold_off_erasing` is the other half.
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('fencepost erasing', 0))"))
    connection.execute(text(_NOTE_IDS.format(condition=condition)), parameters)
    for statement in _EMPTY_COPIES:
        connection.execute(text(statement))
    notes = connection.execute(text(_EMPTY_NOTES)).rowcount
    return Survey(jobs, logs, notes, drafts=count(_DELETE_DRAFTS), exports=[])


def _details(target: Target, found: Survey) -> dict[str, Any]:
    """Tell what was erased, without a word of it."""
    what = {"job": str(target.job_id)} if target.job_id is not None else {"client": target.client_id}
    exports = [str(each.export_id) for each in found.exports]
    return what | {
        "jobs": found.jobs,
        "logs": found.logs,
        "notes": found.notes,
        "drafts": found.drafts,
        "exports": exports[:MOST_NAMED],
        "more_exports": max(0, len(exports) - MOST_NAMED),
    }
