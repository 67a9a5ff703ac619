"""Functions of PostgreSQL that triggers call when jobs or logs are written: each finds out whose facts are touched."""

from core.facts.code import CODE, COMPLETED, CREATED, HOUR, LATEST

# What a service writes all day is one row a statement: without arrays and sets it takes half the time.
_IS_ONE = """TG_OP = 'INSERT' AND current_setting('transaction_isolation') = 'read committed'
        AND (SELECT count(*) FROM (SELECT FROM changed LIMIT 2) AS few) = 1"""

FUNCTIONS = (
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
        SELECT job.created_at, job.job_id, job.client_id, {CODE} AS code, {CREATED} AS created_text,
            {COMPLETED} AS completed_text
        INTO one FROM changed AS job {LATEST};
        INSERT INTO job_facts (created_at, job_id, code, client_id, created_text, completed_text)
        VALUES (one.created_at, one.job_id, one.code, one.client_id, one.created_text, one.completed_text)
        ON CONFLICT DO NOTHING;
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
    # Only what decision, client, key, reason or times change is of interest; what is told apart is grouped, which has
    # one plan. A new reason alone changes no fact: the hour of its job is noted as one that is to be added up.
    f"""
CREATE FUNCTION job_facts_of_updated_jobs() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER {{path}} AS $$
DECLARE
    instants timestamptz[];
    ids uuid[];
    new_instants timestamptz[];
    new_ids uuid[];
    hours timestamptz[];
BEGIN
    SELECT array_agg(created_at) FILTER (WHERE is_kept), array_agg(job_id) FILTER (WHERE is_kept),
        array_agg(created_at) FILTER (WHERE is_added), array_agg(job_id) FILTER (WHERE is_added),
        array_agg(DISTINCT {HOUR}) FILTER (WHERE has_other_reason)
    INTO instants, ids, new_instants, new_ids, hours
    FROM (
        SELECT created_at, job_id, is_touched AND NOT is_new AS is_kept, is_touched AND is_new AS is_added,
            has_other_reason AND NOT is_touched AS has_other_reason
        FROM (
            SELECT created_at, job_id, bool_and(is_new) AS is_new,
                count(*) = 1 OR min(client_id) <> max(client_id) OR count(is_prohibited) = 1
                    OR bool_and(is_prohibited) IS DISTINCT FROM bool_or(is_prohibited)
                    OR count(completed_at) = 1 OR min(completed_at) IS DISTINCT FROM max(completed_at) AS is_touched,
                count(reason) = 1 OR min(reason) IS DISTINCT FROM max(reason) AS has_other_reason
            FROM (
                SELECT created_at, job_id, client_id, is_prohibited, completed_at,
                    hashtextextended(reason, 0) AS reason, false AS is_new
                FROM previous
                UNION ALL
                SELECT created_at, job_id, client_id, is_prohibited, completed_at, hashtextextended(reason, 0), true
                FROM changed
            ) AS both_rows
            GROUP BY created_at, job_id
        ) AS pair
        WHERE is_touched OR has_other_reason
    ) AS touched;
    IF hours IS NOT NULL THEN
        INSERT INTO job_counts (hour, code, total) SELECT hour, 0, 0 FROM unnest(hours) AS hour;
    END IF;
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
    IF TG_OP = 'UPDATE' AND OLD.reason IS DISTINCT FROM NEW.reason THEN
        INSERT INTO job_counts (hour, code, total) VALUES (date_bin('1 hour', OLD.created_at, '2000-01-01Z'), 0, 0);
    END IF;
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
        TRUNCATE job_facts, job_counts, job_reason_counts, job_reasons;
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
