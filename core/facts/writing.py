"""Functions of PostgreSQL that keep job facts right while jobs and logs are written: what the triggers call."""

from core.facts.code import CODE, HOUR, LATEST

# A session keeps the plans of a function's statements. A plan that was made while there was little would read whole
# tables, or compare all with all, however much there is by then; so each key is looked up by itself, always.
_ONE_BY_ONE = "SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off"

# What a service writes all day is one row a statement: without arrays and sets it takes half the time.
_IS_ONE = """TG_OP = 'INSERT' AND current_setting('transaction_isolation') = 'read committed'
        AND (SELECT count(*) FROM (SELECT FROM changed LIMIT 2) AS few) = 1"""

FUNCTIONS = (
    # Puts the facts of jobs in that have none.
    f"""
CREATE FUNCTION job_facts_add(instants timestamptz[], ids uuid[]) RETURNS void LANGUAGE plpgsql {{path}}
{_ONE_BY_ONE} AS $$
BEGIN
    WITH added AS (
        INSERT INTO job_facts (created_at, job_id, code, client_id)
        SELECT job.created_at, job.job_id, {CODE}, job.client_id
        FROM unnest(instants, ids) AS key (at, id)
        JOIN jobs AS job ON job.created_at = key.at AND job.job_id = key.id
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
    SELECT client_id, code INTO before FROM job_facts WHERE job_facts.created_at = at AND job_facts.job_id = id
    FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        INSERT INTO job_facts_unsettled (job_id, created_at) VALUES (id, at);
        RETURN;
    END IF;
    -- A statement of its own, which sees what was committed before the fact was locked.
    SELECT job.client_id, {CODE} AS code INTO after FROM jobs AS job {LATEST}
    WHERE job.created_at = at AND job.job_id = id;
    exists := FOUND;
    IF NOT exists THEN
        DELETE FROM job_facts WHERE job_facts.created_at = at AND job_facts.job_id = id;
    ELSIF (before.client_id, before.code) = (after.client_id, after.code) THEN
        RETURN;
    ELSE
        UPDATE job_facts SET code = after.code, client_id = after.client_id
        WHERE job_facts.created_at = at AND job_facts.job_id = id;
    END IF;
    INSERT INTO job_counts (hour, client_id, code, total)
    SELECT date_bin('1 hour', at, '2000-01-01Z'), change.client_id, change.code, change.total
    FROM (VALUES
        (before.client_id, before.code, -1), (NULL, before.code, -1),
        (after.client_id, after.code, 1), (NULL, after.code, 1)
    ) AS change (client_id, code, total)
    WHERE change.total < 0 OR exists;
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
            SELECT fact.created_at AS at, fact.job_id AS id
            FROM unnest(instants, ids) AS key (at, id)
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
        SELECT fact.created_at, fact.job_id, fact.code AS code_before, fact.client_id AS client_before, job.client_id,
            CASE WHEN job.job_id IS NOT NULL THEN {CODE} END AS code
        FROM unnest(locked_instants, locked_ids) AS key (at, id)
        JOIN job_facts AS fact ON fact.created_at = key.at AND fact.job_id = key.id
        LEFT JOIN jobs AS job ON job.created_at = key.at AND job.job_id = key.id
        {LATEST}
    ), changed AS MATERIALIZED (
        SELECT DISTINCT * FROM now WHERE (code, client_id) IS DISTINCT FROM (code_before, client_before)
    ), gone AS (
        DELETE FROM job_facts AS fact USING changed
        WHERE changed.code IS NULL AND fact.created_at = changed.created_at AND fact.job_id = changed.job_id
    ), corrected AS (
        UPDATE job_facts AS fact SET code = changed.code, client_id = changed.client_id FROM changed
        WHERE changed.code IS NOT NULL AND fact.created_at = changed.created_at AND fact.job_id = changed.job_id
    )
    INSERT INTO job_counts (hour, client_id, code, total)
    SELECT hour, client_id, code, sum(change) FROM (
        SELECT {HOUR} AS hour, client_before AS client_id, code_before AS code, -1 AS change FROM changed
        UNION ALL
        SELECT {HOUR}, client_id, code, 1 FROM changed WHERE code IS NOT NULL
    ) AS each
    GROUP BY GROUPING SETS ((hour, client_id, code), (hour, code)) HAVING sum(change) <> 0;
END
$$""",
    f"""
CREATE FUNCTION job_facts_of_jobs() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER {{path}}
SET enable_seqscan = off AS $$
DECLARE
    instants timestamptz[];
    ids uuid[];
    one record;
    in_hour timestamptz;
BEGIN
    IF {_IS_ONE} THEN
        SELECT job.created_at, job.job_id, job.client_id, {CODE} AS code INTO one FROM changed AS job {LATEST};
        INSERT INTO job_facts (created_at, job_id, code, client_id)
        VALUES (one.created_at, one.job_id, one.code, one.client_id) ON CONFLICT DO NOTHING;
        IF FOUND THEN
            in_hour := date_bin('1 hour', one.created_at, '2000-01-01Z');
            INSERT INTO job_counts (hour, client_id, code, total)
            VALUES (in_hour, one.client_id, one.code, 1), (in_hour, NULL, one.code, 1);
        END IF;
        RETURN NULL;
    END IF;
    SELECT array_agg(created_at), array_agg(job_id) INTO instants, ids FROM changed;
    IF ids IS NULL THEN
        RETURN NULL;
    ELSIF TG_OP = 'INSERT' THEN
        PERFORM job_facts_add(instants, ids);
    ELSE
        PERFORM job_facts_settle(instants, ids);
    END IF;
    RETURN NULL;
END
$$""",
    # Only what decision, client or key changes is of interest; what is told apart is grouped, which has one plan.
    """
CREATE FUNCTION job_facts_of_updated_jobs() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER {path} AS $$
DECLARE
    instants timestamptz[];
    ids uuid[];
    new_instants timestamptz[];
    new_ids uuid[];
BEGIN
    SELECT array_agg(created_at) FILTER (WHERE NOT is_added), array_agg(job_id) FILTER (WHERE NOT is_added),
        array_agg(created_at) FILTER (WHERE is_added), array_agg(job_id) FILTER (WHERE is_added)
    INTO instants, ids, new_instants, new_ids
    FROM (
        SELECT created_at, job_id, bool_and(is_new) AS is_added FROM (
            SELECT created_at, job_id, client_id, is_prohibited, false AS is_new FROM previous
            UNION ALL
            SELECT created_at, job_id, client_id, is_prohibited, true FROM changed
        ) AS both_rows
        GROUP BY created_at, job_id
        HAVING count(*) = 1 OR min(client_id) <> max(client_id) OR count(is_prohibited) = 1
            OR bool_and(is_prohibited) <> bool_or(is_prohibited)
    ) AS touched;
    IF cardinality(ids) = 1 AND current_setting('transaction_isolation') = 'read committed' THEN
        PERFORM job_facts_settle_one(instants[1], ids[1]);
    ELSIF ids IS NOT NULL THEN
        PERFORM job_facts_settle(instants, ids);
    END IF;
    IF new_ids IS NOT NULL THEN
        PERFORM job_facts_add(new_instants, new_ids);
    END IF;
    RETURN NULL;
END
$$""",
    # What deletes a job deletes its logs, too: these have no job any more, and nothing is to be noted of them.
    *(
        f"""
CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER {{path}}
SET enable_seqscan = off AS $$
DECLARE
    instants timestamptz[];
    ids uuid[];
    at timestamptz;
    id uuid;
BEGIN
    IF {_IS_ONE} THEN
        SELECT log.job_id, (SELECT created_at FROM jobs WHERE jobs.job_id = log.job_id) INTO id, at FROM changed AS log;
        PERFORM job_facts_settle_one(at, id);
        RETURN NULL;
    END IF;
    SELECT array_agg(job.created_at), array_agg(log.job_id) INTO instants, ids
    FROM (SELECT DISTINCT job_id FROM ({logs}) AS each) AS log
    LEFT JOIN LATERAL (SELECT created_at FROM jobs WHERE jobs.job_id = log.job_id OFFSET 0) AS job ON true
    WHERE job.created_at IS NOT NULL OR TG_OP <> 'DELETE' OR pg_trigger_depth() = 1;
    IF cardinality(ids) = 1 AND current_setting('transaction_isolation') = 'read committed' THEN
        PERFORM job_facts_settle_one(instants[1], ids[1]);
    ELSIF ids IS NOT NULL THEN
        PERFORM job_facts_settle(instants, ids);
    END IF;
    RETURN NULL;
END
$$"""
        for name, logs in (
            ("job_facts_of_logs", "SELECT job_id FROM changed"),
            ("job_facts_of_updated_logs", "SELECT job_id FROM previous UNION ALL SELECT job_id FROM changed"),
        )
    ),
    # Rows that a replica gets: logical replication calls no triggers of statements.
    """
CREATE FUNCTION job_facts_of_replicated_job() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER {path} AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM job_facts_add(ARRAY[NEW.created_at], ARRAY[NEW.job_id]);
        RETURN NULL;
    END IF;
    PERFORM job_facts_settle(ARRAY[OLD.created_at], ARRAY[OLD.job_id]);
    IF TG_OP = 'UPDATE' AND (NEW.created_at, NEW.job_id) IS DISTINCT FROM (OLD.created_at, OLD.job_id) THEN
        PERFORM job_facts_add(ARRAY[NEW.created_at], ARRAY[NEW.job_id]);
    END IF;
    RETURN NULL;
END
$$""",
    """
CREATE FUNCTION job_facts_of_replicated_log() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER {path}
SET enable_seqscan = off AS $$
DECLARE
    instants timestamptz[];
    ids uuid[];
BEGIN
    SELECT array_agg(job.created_at), array_agg(id) INTO instants, ids
    FROM (
        SELECT NEW.job_id AS id WHERE TG_OP <> 'DELETE' UNION SELECT OLD.job_id WHERE TG_OP <> 'INSERT'
    ) AS log LEFT JOIN LATERAL (SELECT created_at FROM jobs WHERE job_id = log.id OFFSET 0) AS job ON true;
    PERFORM job_facts_settle(instants, ids);
    RETURN NULL;
END
$$""",
    """
CREATE FUNCTION job_facts_of_emptied_jobs() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER {path} AS $$
BEGIN
    IF TG_RELID = 'jobs'::regclass THEN
        TRUNCATE job_facts, job_counts;
        RETURN NULL;
    END IF;
    EXECUTE $statement$
        WITH gone AS (
            DELETE FROM job_facts AS fact USING $statement$ || TG_RELID::regclass || $statement$ AS job
            WHERE fact.created_at = job.created_at AND fact.job_id = job.job_id
            RETURNING date_bin('1 hour', fact.created_at, '2000-01-01Z') AS hour, fact.client_id, fact.code
        )
        INSERT INTO job_counts (hour, client_id, code, total)
        SELECT hour, client_id, code, -count(*) FROM gone GROUP BY GROUPING SETS ((hour, client_id, code), (hour, code))
    $statement$;
    RETURN NULL;
END
$$""",
    # All facts are others then: they are filled anew, and not used until that is done.
    """
CREATE FUNCTION job_facts_of_emptied_logs() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER {path} AS $$
BEGIN
    IF EXISTS (SELECT FROM job_facts) THEN
        UPDATE job_facts_state SET is_complete = false, filled_to = NULL;
    END IF;
    RETURN NULL;
END
$$""",
)
