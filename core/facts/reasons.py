"""Functions of PostgreSQL that count reasons by the hour, and that learn which reasons are names of rules.

Nothing is written for them when a job is: they go by the hours that `job_counts_add_up` is at anyway. An hour whose
counts are to be added up has changed since its reasons were counted, and readers ask its jobs themselves.
"""

from core.facts.code import CODE, LATEST

# A reason beside fewer different prompts than these may quote one of them; beside as many it is the name of a rule.
PROMPTS_OF_A_RULE = 5

# Characters: a longer reason is not what a filter can ask for.
LONGEST_RULE = 500

# Each hour is a stretch of the index of the jobs' times, however many rows there are (see core/facts/settling.py).
# It is written without the end, because none comes after the last hour that PostgreSQL knows.
# That a job has a reason is written so that the index of reasons, which knows no hours, does not seem to serve it.
_BY_HOURS = "SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off"

_COUNTED = f"""SELECT one.hour, job.client_id, job.reason_hash, {CODE} AS code
        FROM unnest(hours) AS one (hour) CROSS JOIN LATERAL (
            SELECT job_id, client_id, is_prohibited, hashtextextended(reason, 0) AS reason_hash FROM jobs
            WHERE created_at BETWEEN one.hour AND one.hour + interval '59:59.999999' AND coalesce(reason, '') <> ''
            OFFSET 0
        ) AS job
        {LATEST}"""

TABLES = (
    """CREATE TABLE job_reason_counts (
    hour timestamptz NOT NULL,
    client_id text,
    reason_hash bigint NOT NULL,
    code smallint NOT NULL,
    total bigint NOT NULL
)""",
    "CREATE INDEX job_reason_counts_client ON job_reason_counts (client_id, hour) INCLUDE (reason_hash, code, total)",
    "CREATE INDEX job_reason_counts_hour ON job_reason_counts (hour)",
    "CREATE INDEX job_reason_counts_reason ON job_reason_counts (reason_hash, client_id, hour)",
    # Each reason by its digest, with the hashes of up to five prompts that it stands beside. `reason` is null, and
    # nothing of the text is kept, until it is known to be the name of a rule.
    """CREATE TABLE job_reasons (
    digest bytea PRIMARY KEY,
    reason_hash bigint NOT NULL,
    prompts bigint[] NOT NULL,
    reason text
)""",
    "CREATE INDEX job_reasons_rule ON job_reasons (reason_hash) WHERE reason IS NOT NULL",
)

FUNCTIONS = (
    # Counts the reasons of the jobs of some hours anew.
    f"""
CREATE FUNCTION job_reasons_count(hours timestamptz[]) RETURNS void LANGUAGE plpgsql {{path}}
{_BY_HOURS} AS $$
BEGIN
    -- Two at once would count twice.
    PERFORM pg_advisory_xact_lock(hashtextextended('fencepost reasons', 0));
    DELETE FROM job_reason_counts WHERE hour = ANY (hours);
    INSERT INTO job_reason_counts (hour, client_id, reason_hash, code, total)
    SELECT hour, client_id, reason_hash, code, count(*) FROM ({_COUNTED}) AS each
    GROUP BY GROUPING SETS ((hour, client_id, reason_hash, code), (hour, reason_hash, code));
    PERFORM job_reasons_learn(hours);
END
$$""",
    # Learns beside how many different prompts the reasons of some hours stand.
    f"""
CREATE FUNCTION job_reasons_learn(hours timestamptz[]) RETURNS void LANGUAGE plpgsql {{path}}
{_BY_HOURS} AS $$
BEGIN
    INSERT INTO job_reasons AS known (digest, reason_hash, prompts, reason)
    SELECT digest, reason_hash, prompts, CASE WHEN cardinality(prompts) >= {PROMPTS_OF_A_RULE} THEN reason END
    FROM (
        SELECT sha256(convert_to(reason, 'UTF8')) AS digest, min(reason_hash) AS reason_hash, min(reason) AS reason,
            (array_agg(DISTINCT hashtextextended(prompt, 0)))[1:{PROMPTS_OF_A_RULE}] AS prompts
        FROM unnest(hours) AS one (hour) CROSS JOIN LATERAL (
            SELECT reason, prompt, hashtextextended(reason, 0) AS reason_hash FROM jobs
            WHERE created_at BETWEEN one.hour AND one.hour + interval '59:59.999999' AND coalesce(reason, '') <> ''
                AND prompt IS NOT NULL AND length(reason) <= {LONGEST_RULE} OFFSET 0
        ) AS job
        WHERE NOT EXISTS (
            SELECT FROM job_reasons AS rule WHERE rule.reason_hash = job.reason_hash AND rule.reason = job.reason
        )
        GROUP BY digest
    ) AS found
    ORDER BY digest
    ON CONFLICT (digest) DO UPDATE SET
        prompts = ARRAY(
            SELECT prompt FROM unnest(known.prompts || excluded.prompts) AS prompt
            GROUP BY prompt LIMIT {PROMPTS_OF_A_RULE}
        ),
        reason = coalesce(known.reason, excluded.reason, (
            SELECT job.reason FROM jobs AS job
            WHERE hashtextextended(job.reason, 0) = excluded.reason_hash AND job.reason IS NOT NULL
                AND sha256(convert_to(job.reason, 'UTF8')) = excluded.digest
                AND {PROMPTS_OF_A_RULE} <= (
                    SELECT count(DISTINCT prompt) FROM unnest(known.prompts || excluded.prompts) AS prompt
                )
            LIMIT 1
        ));
END
$$""",
    # How many counts of reasons are wrong or missing in hours that have not changed since.
    f"""
CREATE FUNCTION job_reasons_count_wrong() RETURNS bigint LANGUAGE plpgsql STABLE {{path}} AS $$
DECLARE
    hours timestamptz[] := ARRAY(
        (SELECT hour FROM job_counts WHERE total > 0 UNION SELECT hour FROM job_reason_counts)
        EXCEPT SELECT hour FROM job_counts WHERE is_new
        EXCEPT SELECT date_bin('1 hour', created_at, '2000-01-01Z') FROM job_facts_unsettled
        EXCEPT SELECT date_bin('1 hour', jobs.created_at, '2000-01-01Z')
            FROM jobs JOIN job_facts_unsettled USING (job_id)
    );
BEGIN
    RETURN (
        SELECT count(*) FROM (
            SELECT hour, client_id, reason_hash, code, sum(total) FROM (
                SELECT hour, client_id, reason_hash, code, total FROM job_reason_counts WHERE hour = ANY (hours)
                UNION ALL
                SELECT hour, client_id, reason_hash, code, -count(*) FROM ({_COUNTED}) AS each
                GROUP BY GROUPING SETS ((hour, client_id, reason_hash, code), (hour, reason_hash, code))
            ) AS either
            GROUP BY hour, client_id, reason_hash, code HAVING sum(total) <> 0
        ) AS wrong
    );
END
$$""",
)
