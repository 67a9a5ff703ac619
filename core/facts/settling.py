"""Functions of PostgreSQL that put the facts of given jobs in, or right: what triggers and filling call."""

from core.facts.code import CODE, COMPLETED, CREATED, HOUR, LATEST

# A session keeps the plans of a function's statements. A plan that was made while there was little would read whole
# tables, or compare all with all, however much there is by then; so each key is looked up by itself, always.
_ONE_BY_ONE = "SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off"


FUNCTIONS = (
    # Puts the facts of jobs in that have none.
    f"""
CREATE FUNCTION job_facts_add(instants timestamptz[], ids uuid[]) RETURNS void LANGUAGE plpgsql {{path}}
{_ONE_BY_ONE} AS $$
BEGIN
    WITH added AS (
        INSERT INTO job_facts (created_at, job_id, code, client_id, created_text, completed_text)
        SELECT job.created_at, job.job_id, {CODE}, job.client_id, {CREATED}, {COMPLETED}
        FROM unnest(instants, ids) AS key (at, id) JOIN jobs AS job ON job.created_at = key.at AND job.job_id = key.id
        {LATEST}
        ON CONFLICT DO NOTHING
        RETURNING {HOUR} AS hour, client_id, code
    )
    INSERT INTO job_counts (hour, client_id, code, total)
    SELECT hour, client_id, code, count(*) FROM added GROUP BY GROUPING SETS ((hour, client_id, code), (hour, code));
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        INSERT INTO job_facts_unsettled (job_id, created_at) SELECT id, at FROM unnest(instants, ids) AS key (at, id);
    END IF;
END
$$""",
    # Puts the fact of one job right, or notes the job where the fact is locked, or is not there.
    f"""
CREATE FUNCTION job_facts_settle_one(at timestamptz, id uuid) RETURNS void LANGUAGE plpgsql {{path}}
SET enable_seqscan = off AS $$
DECLARE
    before record;
    after record;
    exists boolean;
BEGIN
    SELECT client_id, code, created_text, completed_text INTO before FROM job_facts
    WHERE job_facts.created_at = at AND job_facts.job_id = id FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        INSERT INTO job_facts_unsettled (job_id, created_at) VALUES (id, at);
        RETURN;
    END IF;
    -- A statement of its own, which sees what was committed before the fact was locked.
    SELECT job.client_id, {CODE} AS code, {CREATED} AS created_text, {COMPLETED} AS completed_text INTO after
    FROM jobs AS job {LATEST} WHERE job.created_at = at AND job.job_id = id;
    exists := FOUND;
    IF NOT exists THEN
        DELETE FROM job_facts WHERE job_facts.created_at = at AND job_facts.job_id = id;
    ELSIF before IS DISTINCT FROM after THEN
        UPDATE job_facts SET code = after.code, client_id = after.client_id, created_text = after.created_text,
            completed_text = after.completed_text WHERE job_facts.created_at = at AND job_facts.job_id = id;
    END IF;
    IF exists AND (before.client_id, before.code) = (after.client_id, after.code) THEN
        RETURN;
    END IF;
    INSERT INTO job_counts (hour, client_id, code, total)
    SELECT date_bin('1 hour', at, '2000-01-01Z'), change.client_id, change.code, change.total
    FROM (VALUES
        (before.client_id, before.code, -1), (NULL, before.code, -1),
        (after.client_id, after.code, 1), (NULL, after.code, 1)
    ) AS change (client_id, code, total) WHERE change.total < 0 OR exists;
END
$$""",
    # Puts facts right; notes the jobs of those that are locked, or are not there.
    f"""
CREATE FUNCTION job_facts_settle(instants timestamptz[], ids uuid[]) RETURNS void LANGUAGE plpgsql {{path}}
{_ONE_BY_ONE} AS $$
DECLARE
    locked_instants timestamptz[] := '{{}}';
    locked_ids uuid[] := '{{}}';
BEGIN
    IF current_setting('transaction_isolation') = 'read committed' THEN
        SELECT coalesce(array_agg(at), '{{}}'), coalesce(array_agg(id), '{{}}') INTO locked_instants, locked_ids
        FROM (
            SELECT fact.created_at AS at, fact.job_id AS id FROM unnest(instants, ids) AS key (at, id)
            JOIN job_facts AS fact ON fact.created_at = key.at AND fact.job_id = key.id
            FOR UPDATE OF fact SKIP LOCKED
        ) AS locked;
    END IF;
    IF cardinality(locked_ids) < cardinality(ids) THEN
        INSERT INTO job_facts_unsettled (job_id, created_at)
        SELECT id, at FROM unnest(instants, ids) AS key (at, id)
        EXCEPT SELECT id, at FROM unnest(locked_instants, locked_ids) AS locked (at, id);
    END IF;
    -- A statement of its own, which sees what was committed before the facts were locked.
    WITH now AS (
        SELECT fact.created_at, fact.job_id, fact.code AS code_before, fact.client_id AS client_before,
            fact.created_text AS created_before, fact.completed_text AS completed_before, job.client_id,
            CASE WHEN job.job_id IS NOT NULL THEN {CODE} END AS code,
            {CREATED} AS created_text, {COMPLETED} AS completed_text
        FROM unnest(locked_instants, locked_ids) AS key (at, id)
        JOIN job_facts AS fact ON fact.created_at = key.at AND fact.job_id = key.id
        LEFT JOIN jobs AS job ON job.created_at = key.at AND job.job_id = key.id
        {LATEST}
    ), changed AS MATERIALIZED (
        SELECT DISTINCT * FROM now WHERE (code, client_id, created_text, completed_text)
            IS DISTINCT FROM (code_before, client_before, created_before, completed_before)
        -- So that facts that an export reads one after the other lie beside each other.
        ORDER BY created_at, job_id
    ), gone AS (
        DELETE FROM job_facts AS fact USING changed
        WHERE changed.code IS NULL AND fact.created_at = changed.created_at AND fact.job_id = changed.job_id
    ), corrected AS (
        UPDATE job_facts AS fact SET code = changed.code, client_id = changed.client_id,
            created_text = changed.created_text, completed_text = changed.completed_text
        FROM changed
        WHERE changed.code IS NOT NULL AND fact.created_at = changed.created_at AND fact.job_id = changed.job_id
    )
    INSERT INTO job_counts (hour, client_id, code, total)
    SELECT hour, client_id, code, sum(change) FROM (
        SELECT {HOUR} AS hour, client_before AS client_id, code_before AS code, -1 AS change FROM changed
        UNION ALL SELECT {HOUR}, client_id, code, 1 FROM changed WHERE code IS NOT NULL
    ) AS each
    GROUP BY GROUPING SETS ((hour, client_id, code), (hour, code)) HAVING sum(change) <> 0;
END
$$""",
)
