-- The functions of both, as jobs_0007 makes them and jobs_0014 and jobs_0015 make them anew.


CREATE FUNCTION job_facts_code(decided boolean, evaluated boolean, adult boolean, underage boolean, nsfw boolean)
RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    28 * CASE decided WHEN true THEN 2 WHEN false THEN 1 ELSE 0 END
    + CASE WHEN evaluated THEN
        1 + 9 * CASE adult WHEN true THEN 2 WHEN false THEN 1 ELSE 0 END
        + 3 * CASE underage WHEN true THEN 2 WHEN false THEN 1 ELSE 0 END
        + CASE nsfw WHEN true THEN 2 WHEN false THEN 1 ELSE 0 END
    ELSE 0 END
)::smallint;


CREATE FUNCTION job_reasons_count(hours timestamptz[]) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, {schema}, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
BEGIN
    -- Two at once would count twice.
    PERFORM pg_advisory_xact_lock(hashtextextended('fencepost reasons', 0));
    DELETE FROM job_reason_counts WHERE hour = ANY (hours);
    INSERT INTO job_reason_counts (hour, client_id, reason_hash, code, total)
    SELECT hour, client_id, reason_hash, code, count(*) FROM (SELECT one.hour, job.client_id, job.reason_hash, job_facts_code(job.is_prohibited, log.evaluated, log.category_ai_adult_general, log.category_underage, log.category_nsfw) AS code
        FROM unnest(hours) AS one (hour) CROSS JOIN LATERAL (
            SELECT job_id, client_id, is_prohibited, hashtextextended(reason, 0) AS reason_hash FROM jobs
            WHERE created_at BETWEEN one.hour AND one.hour + interval '59:59.999999' AND coalesce(reason, '') <> ''
            OFFSET 0
        ) AS job
        LEFT JOIN LATERAL (
            SELECT true AS evaluated, category_ai_adult_general, category_underage, category_nsfw FROM moderation_logs
            WHERE moderation_logs.job_id = job.job_id
            ORDER BY moderation_logs.created_at DESC, moderation_logs.log_id DESC LIMIT 1
        ) AS log ON true) AS each
    GROUP BY GROUPING SETS ((hour, client_id, reason_hash, code), (hour, reason_hash, code));
    PERFORM job_reasons_learn(hours);
END
$$;


CREATE FUNCTION job_reasons_learn(hours timestamptz[]) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, {schema}, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
BEGIN
    INSERT INTO job_reasons AS known (digest, reason_hash, prompts, reason)
    SELECT digest, reason_hash, prompts, CASE WHEN cardinality(prompts) >= 5 THEN reason END
    FROM (
        SELECT sha256(convert_to(reason, 'UTF8')) AS digest, min(reason_hash) AS reason_hash, min(reason) AS reason,
            (array_agg(DISTINCT hashtextextended(prompt, 0)))[1:5] AS prompts
        FROM unnest(hours) AS one (hour) CROSS JOIN LATERAL (
            SELECT reason, prompt, hashtextextended(reason, 0) AS reason_hash FROM jobs
            WHERE created_at BETWEEN one.hour AND one.hour + interval '59:59.999999' AND coalesce(reason, '') <> ''
                AND prompt IS NOT NULL AND length(reason) <= 500 OFFSET 0
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
            GROUP BY prompt LIMIT 5
        ),
        reason = coalesce(known.reason, excluded.reason, (
            SELECT job.reason FROM jobs AS job
            WHERE hashtextextended(job.reason, 0) = excluded.reason_hash AND job.reason IS NOT NULL
                AND sha256(convert_to(job.reason, 'UTF8')) = excluded.digest
                AND 5 <= (
                    SELECT count(DISTINCT prompt) FROM unnest(known.prompts || excluded.prompts) AS prompt
                )
            LIMIT 1
        ));
END
$$;


CREATE FUNCTION job_reasons_count_wrong() RETURNS bigint LANGUAGE plpgsql STABLE SET search_path = pg_catalog, {schema}, pg_temp AS $$
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
                SELECT hour, client_id, reason_hash, code, -count(*) FROM (SELECT one.hour, job.client_id, job.reason_hash, job_facts_code(job.is_prohibited, log.evaluated, log.category_ai_adult_general, log.category_underage, log.category_nsfw) AS code
        FROM unnest(hours) AS one (hour) CROSS JOIN LATERAL (
            SELECT job_id, client_id, is_prohibited, hashtextextended(reason, 0) AS reason_hash FROM jobs
            WHERE created_at BETWEEN one.hour AND one.hour + interval '59:59.999999' AND coalesce(reason, '') <> ''
            OFFSET 0
        ) AS job
        LEFT JOIN LATERAL (
            SELECT true AS evaluated, category_ai_adult_general, category_underage, category_nsfw FROM moderation_logs
            WHERE moderation_logs.job_id = job.job_id
            ORDER BY moderation_logs.created_at DESC, moderation_logs.log_id DESC LIMIT 1
        ) AS log ON true) AS each
                GROUP BY GROUPING SETS ((hour, client_id, reason_hash, code), (hour, reason_hash, code))
            ) AS either
            GROUP BY hour, client_id, reason_hash, code HAVING sum(total) <> 0
        ) AS wrong
    );
END
$$;


CREATE FUNCTION job_facts_add(instants timestamptz[], ids uuid[]) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, {schema}, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
BEGIN
    WITH added AS (
        INSERT INTO job_facts (created_at, job_id, code, client_id, created_text, completed_text)
        SELECT job.created_at, job.job_id, job_facts_code(job.is_prohibited, log.evaluated, log.category_ai_adult_general, log.category_underage, log.category_nsfw), job.client_id, to_char(job.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), to_char(job.completed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
        FROM unnest(instants, ids) AS key (at, id) JOIN jobs AS job ON job.created_at = key.at AND job.job_id = key.id
        LEFT JOIN LATERAL (
            SELECT true AS evaluated, category_ai_adult_general, category_underage, category_nsfw FROM moderation_logs
            WHERE moderation_logs.job_id = job.job_id
            ORDER BY moderation_logs.created_at DESC, moderation_logs.log_id DESC LIMIT 1
        ) AS log ON true
        ON CONFLICT DO NOTHING
        RETURNING date_bin('1 hour', created_at, '2000-01-01Z') AS hour, client_id, code
    )
    INSERT INTO job_counts (hour, client_id, code, total)
    SELECT hour, client_id, code, count(*) FROM added GROUP BY GROUPING SETS ((hour, client_id, code), (hour, code));
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        INSERT INTO job_facts_unsettled (job_id, created_at) SELECT id, at FROM unnest(instants, ids) AS key (at, id);
    END IF;
END
$$;


CREATE FUNCTION job_facts_settle_one(at timestamptz, id uuid) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, {schema}, pg_temp
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
    SELECT job.client_id, job_facts_code(job.is_prohibited, log.evaluated, log.category_ai_adult_general, log.category_underage, log.category_nsfw) AS code, to_char(job.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_text, to_char(job.completed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS completed_text INTO after
    FROM jobs AS job LEFT JOIN LATERAL (
            SELECT true AS evaluated, category_ai_adult_general, category_underage, category_nsfw FROM moderation_logs
            WHERE moderation_logs.job_id = job.job_id
            ORDER BY moderation_logs.created_at DESC, moderation_logs.log_id DESC LIMIT 1
        ) AS log ON true WHERE job.created_at = at AND job.job_id = id;
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
$$;


CREATE FUNCTION job_facts_settle(instants timestamptz[], ids uuid[]) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, {schema}, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
    locked_instants timestamptz[] := '{}';
    locked_ids uuid[] := '{}';
BEGIN
    IF current_setting('transaction_isolation') = 'read committed' THEN
        SELECT coalesce(array_agg(at), '{}'), coalesce(array_agg(id), '{}') INTO locked_instants, locked_ids
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
            CASE WHEN job.job_id IS NOT NULL THEN job_facts_code(job.is_prohibited, log.evaluated, log.category_ai_adult_general, log.category_underage, log.category_nsfw) END AS code,
            to_char(job.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_text, to_char(job.completed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS completed_text
        FROM unnest(locked_instants, locked_ids) AS key (at, id)
        JOIN job_facts AS fact ON fact.created_at = key.at AND fact.job_id = key.id
        LEFT JOIN jobs AS job ON job.created_at = key.at AND job.job_id = key.id
        LEFT JOIN LATERAL (
            SELECT true AS evaluated, category_ai_adult_general, category_underage, category_nsfw FROM moderation_logs
            WHERE moderation_logs.job_id = job.job_id
            ORDER BY moderation_logs.created_at DESC, moderation_logs.log_id DESC LIMIT 1
        ) AS log ON true
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
        SELECT date_bin('1 hour', created_at, '2000-01-01Z') AS hour, client_before AS client_id, code_before AS code, -1 AS change FROM changed
        UNION ALL SELECT date_bin('1 hour', created_at, '2000-01-01Z'), client_id, code, 1 FROM changed WHERE code IS NOT NULL
    ) AS each
    GROUP BY GROUPING SETS ((hour, client_id, code), (hour, code)) HAVING sum(change) <> 0;
END
$$;


CREATE FUNCTION job_facts_of_jobs() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp
SET enable_seqscan = off AS $$
DECLARE
    instants timestamptz[];
    ids uuid[];
    one record;
    in_hour timestamptz;
BEGIN
    IF TG_OP = 'INSERT' AND current_setting('transaction_isolation') = 'read committed'
        AND (SELECT count(*) FROM (SELECT FROM changed LIMIT 2) AS few) = 1 THEN
        SELECT job.created_at, job.job_id, job.client_id, job_facts_code(job.is_prohibited, log.evaluated, log.category_ai_adult_general, log.category_underage, log.category_nsfw) AS code, to_char(job.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_text,
            to_char(job.completed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS completed_text
        INTO one FROM changed AS job LEFT JOIN LATERAL (
            SELECT true AS evaluated, category_ai_adult_general, category_underage, category_nsfw FROM moderation_logs
            WHERE moderation_logs.job_id = job.job_id
            ORDER BY moderation_logs.created_at DESC, moderation_logs.log_id DESC LIMIT 1
        ) AS log ON true;
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
$$;


CREATE FUNCTION job_facts_of_updated_jobs() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp AS $$
DECLARE
    instants timestamptz[];
    ids uuid[];
    new_instants timestamptz[];
    new_ids uuid[];
    hours timestamptz[];
BEGIN
    SELECT array_agg(created_at) FILTER (WHERE is_kept), array_agg(job_id) FILTER (WHERE is_kept),
        array_agg(created_at) FILTER (WHERE is_added), array_agg(job_id) FILTER (WHERE is_added),
        array_agg(DISTINCT date_bin('1 hour', created_at, '2000-01-01Z')) FILTER (WHERE has_other_reason)
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
$$;


CREATE FUNCTION job_facts_of_logs() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp
SET enable_seqscan = off AS $$
DECLARE
    instants timestamptz[];
    ids uuid[];
    at timestamptz;
    id uuid;
BEGIN
    IF TG_OP = 'INSERT' AND current_setting('transaction_isolation') = 'read committed'
        AND (SELECT count(*) FROM (SELECT FROM changed LIMIT 2) AS few) = 1 THEN
        SELECT log.job_id, (SELECT created_at FROM jobs WHERE jobs.job_id = log.job_id) INTO id, at FROM changed AS log;
        PERFORM job_facts_settle_one(at, id);
        RETURN NULL;
    END IF;
    SELECT array_agg(job.created_at), array_agg(log.job_id) INTO instants, ids
    FROM (SELECT DISTINCT job_id FROM (SELECT job_id FROM changed) AS each) AS log
    LEFT JOIN LATERAL (SELECT created_at FROM jobs WHERE jobs.job_id = log.job_id OFFSET 0) AS job ON true
    WHERE job.created_at IS NOT NULL OR TG_OP <> 'DELETE' OR pg_trigger_depth() = 1;
    IF cardinality(ids) = 1 AND current_setting('transaction_isolation') = 'read committed' THEN
        PERFORM job_facts_settle_one(instants[1], ids[1]);
    ELSIF ids IS NOT NULL THEN
        PERFORM job_facts_settle(instants, ids);
    END IF;
    RETURN NULL;
END
$$;


CREATE FUNCTION job_facts_of_updated_logs() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp
SET enable_seqscan = off AS $$
DECLARE
    instants timestamptz[];
    ids uuid[];
    at timestamptz;
    id uuid;
BEGIN
    IF TG_OP = 'INSERT' AND current_setting('transaction_isolation') = 'read committed'
        AND (SELECT count(*) FROM (SELECT FROM changed LIMIT 2) AS few) = 1 THEN
        SELECT log.job_id, (SELECT created_at FROM jobs WHERE jobs.job_id = log.job_id) INTO id, at FROM changed AS log;
        PERFORM job_facts_settle_one(at, id);
        RETURN NULL;
    END IF;
    SELECT array_agg(job.created_at), array_agg(log.job_id) INTO instants, ids
    FROM (SELECT DISTINCT job_id FROM (SELECT job_id FROM previous UNION ALL SELECT job_id FROM changed) AS each) AS log
    LEFT JOIN LATERAL (SELECT created_at FROM jobs WHERE jobs.job_id = log.job_id OFFSET 0) AS job ON true
    WHERE job.created_at IS NOT NULL OR TG_OP <> 'DELETE' OR pg_trigger_depth() = 1;
    IF cardinality(ids) = 1 AND current_setting('transaction_isolation') = 'read committed' THEN
        PERFORM job_facts_settle_one(instants[1], ids[1]);
    ELSIF ids IS NOT NULL THEN
        PERFORM job_facts_settle(instants, ids);
    END IF;
    RETURN NULL;
END
$$;


CREATE FUNCTION job_facts_of_replicated_job() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp AS $$
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
$$;


CREATE FUNCTION job_facts_of_replicated_log() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp
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
$$;


CREATE FUNCTION job_facts_of_emptied_jobs() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp AS $$
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
$$;


CREATE FUNCTION job_facts_of_emptied_logs() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM job_facts) THEN
        UPDATE job_facts_state SET is_complete = false, filled_to = NULL;
    END IF;
    RETURN NULL;
END
$$;


CREATE FUNCTION job_facts_relations() RETURNS oid[] LANGUAGE sql STABLE SET search_path = pg_catalog, {schema}, pg_temp AS $$
    SELECT array_agg(
        CASE WHEN 5 = (
            SELECT count(*) FROM pg_trigger WHERE tgrelid = found AND tgname ^@ 'job_facts_'
                AND tgenabled = CASE tgname WHEN 'job_facts_replica' THEN 'R'
                    WHEN 'job_facts_truncate' THEN 'A' ELSE 'O' END
        ) THEN found ELSE 0::oid END
        ORDER BY found
    )
    FROM unnest(ARRAY['jobs', 'moderation_logs']) AS name CROSS JOIN LATERAL (
        SELECT name::regclass::oid UNION SELECT relid FROM pg_partition_tree(name::regclass)
    ) AS tree (found)
$$;


CREATE FUNCTION job_facts_find_wrong(first timestamptz, last timestamptz)
RETURNS TABLE (at timestamptz, id uuid, is_missing boolean) LANGUAGE sql STABLE SET search_path = pg_catalog, {schema}, pg_temp AS $$
    SELECT coalesce(fact.created_at, right_one.created_at), coalesce(fact.job_id, right_one.job_id), fact.code IS NULL
    FROM (SELECT * FROM job_facts WHERE created_at BETWEEN first AND last) AS fact
    FULL JOIN (
        SELECT job.created_at, job.job_id, job_facts_code(job.is_prohibited, log.evaluated, log.category_ai_adult_general, log.category_underage, log.category_nsfw) AS code, job.client_id, to_char(job.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_text,
            to_char(job.completed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS completed_text
        FROM jobs AS job
        LEFT JOIN LATERAL (
            SELECT true AS evaluated, category_ai_adult_general, category_underage, category_nsfw FROM moderation_logs
            WHERE moderation_logs.job_id = job.job_id
            ORDER BY moderation_logs.created_at DESC, moderation_logs.log_id DESC LIMIT 1
        ) AS log ON true
        WHERE job.created_at BETWEEN first AND last
    ) AS right_one ON fact.created_at = right_one.created_at AND fact.job_id = right_one.job_id
    WHERE (
            (fact.code, fact.client_id) IS DISTINCT FROM (right_one.code, right_one.client_id)
            OR (fact.created_text, fact.completed_text)
                IS DISTINCT FROM (right_one.created_text, right_one.completed_text)
                AND num_nonnulls(fact.created_text, fact.completed_text) > 0
        ) AND NOT EXISTS (
            SELECT FROM job_facts_unsettled AS note WHERE note.job_id = coalesce(fact.job_id, right_one.job_id)
        )
$$;


CREATE FUNCTION job_facts_fill_next() RETURNS timestamptz LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp AS $$
DECLARE
    state job_facts_state;
    found oid[] := job_facts_relations();
    first timestamptz;
    last timestamptz;
    instants timestamptz[];
    ids uuid[];
    new_instants timestamptz[];
    new_ids uuid[];
BEGIN
    SELECT * INTO state FROM job_facts_state FOR UPDATE;
    IF state.relations <> found THEN
        UPDATE job_facts_state SET relations = found, filled_to = NULL, is_complete = false RETURNING * INTO state;
    END IF;
    IF state.is_complete OR 0 = ANY (found) THEN
        RETURN NULL;
    END IF;
    IF state.filled_to IS NULL THEN
        -- All reasons are to be counted anew, in the hours that there are and in those that there were.
        DELETE FROM job_reasons;
        INSERT INTO job_counts (hour, code, total)
            SELECT hour, 0, 0 FROM (SELECT hour FROM job_counts UNION SELECT hour FROM job_reason_counts) AS every;
    END IF;
    SELECT min(created_at) INTO first FROM (
        (SELECT created_at FROM jobs WHERE created_at > state.filled_to OR state.filled_to IS NULL
            ORDER BY created_at LIMIT 1)
        UNION ALL
        (SELECT created_at FROM job_facts WHERE created_at > state.filled_to OR state.filled_to IS NULL
            ORDER BY created_at LIMIT 1)
    ) AS next;
    IF first IS NULL THEN
        UPDATE job_facts_state SET is_complete = true;
        RETURN NULL;
    END IF;
    -- No day comes after the last one that PostgreSQL knows.
    last := CASE WHEN first < '294276-12-31Z' THEN first + interval '1 day' ELSE 'infinity' END;
    -- Planned anew for each day, by its size.
    EXECUTE 'SELECT array_agg(at ORDER BY at, id) FILTER (WHERE NOT is_missing),
        array_agg(id ORDER BY at, id) FILTER (WHERE NOT is_missing),
        array_agg(at ORDER BY at, id) FILTER (WHERE is_missing),
        array_agg(id ORDER BY at, id) FILTER (WHERE is_missing)
        FROM (
            SELECT at, id, is_missing FROM job_facts_find_wrong($1, $2)
            UNION SELECT created_at, job_id, false FROM job_facts
            WHERE created_at BETWEEN $1 AND $2 AND created_text IS NULL
        ) AS wrong' INTO instants, ids, new_instants, new_ids USING first, last;
    IF ids IS NOT NULL THEN
        PERFORM job_facts_settle(instants, ids);
    END IF;
    IF new_ids IS NOT NULL THEN
        PERFORM job_facts_add(new_instants, new_ids);
    END IF;
    UPDATE job_facts_state SET filled_to = last;
    RETURN first;
END
$$;


CREATE FUNCTION job_facts_settle_some(most integer) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp
SET enable_seqscan = off AS $$
DECLARE
    notes bigint[];
    there uuid[];
    instants timestamptz[];
    new_instants timestamptz[];
    ids uuid[];
BEGIN
    notes := ARRAY(
        SELECT note_id FROM job_facts_unsettled
        WHERE gone_by IS NULL OR gone_by <= pg_snapshot_xmin(pg_current_snapshot())
        ORDER BY note_id LIMIT most
    );
    IF cardinality(notes) = 0 THEN
        RETURN NULL;
    END IF;
    SELECT array_agg(job.created_at), array_agg(job.job_id) INTO instants, there
    FROM (SELECT DISTINCT job_id FROM job_facts_unsettled WHERE note_id = ANY (notes)) AS note
    CROSS JOIN LATERAL (SELECT created_at, job_id FROM jobs WHERE jobs.job_id = note.job_id OFFSET 0) AS job;
    -- What happened to a reason meanwhile changed no count.
    INSERT INTO job_counts (hour, code, total)
        SELECT DISTINCT date_bin('1 hour', at, '2000-01-01Z'), 0, 0 FROM (
            SELECT unnest(instants) AS at UNION SELECT created_at FROM job_facts_unsettled WHERE note_id = ANY (notes)
        ) AS noted WHERE at IS NOT NULL;
    -- A fact that is there may be locked, and an INSERT would wait for whoever has locked it.
    SELECT array_agg(at), array_agg(id) INTO new_instants, ids FROM unnest(instants, there) AS key (at, id)
        WHERE NOT EXISTS (SELECT FROM job_facts WHERE job_facts.created_at = key.at AND job_facts.job_id = key.id);
    IF ids IS NOT NULL THEN
        PERFORM job_facts_add(new_instants, ids);
    END IF;
    SELECT array_agg(fact.created_at), array_agg(fact.job_id) INTO instants, ids
    FROM (
        SELECT at, id FROM unnest(instants, there) AS key (at, id)
        UNION SELECT created_at, job_id FROM job_facts_unsettled WHERE note_id = ANY (notes)
    ) AS key CROSS JOIN LATERAL (
        SELECT created_at, job_id FROM job_facts
        WHERE job_facts.created_at = key.at AND job_facts.job_id = key.id OFFSET 0
    ) AS fact;
    IF ids IS NOT NULL THEN
        PERFORM job_facts_settle(instants, ids);
    END IF;
    -- Whoever writes a job that was not to be seen yet has not seen what was noted.
    UPDATE job_facts_unsettled SET gone_by = pg_snapshot_xmax(pg_current_snapshot())
        WHERE note_id = ANY (notes) AND gone_by IS NULL AND job_id <> ALL (coalesce(there, '{}'));
    DELETE FROM job_facts_unsettled WHERE note_id = ANY (notes)
        AND (job_id = ANY (there) OR gone_by <= pg_snapshot_xmin(pg_current_snapshot()));
    RETURN cardinality(notes);
END
$$;


CREATE FUNCTION job_counts_add_up(most integer) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp
SET enable_seqscan = off AS $$
DECLARE
    hours timestamptz[];
BEGIN
    hours := ARRAY(
        SELECT hour FROM job_counts WHERE is_new AND hour < now() - interval '2 hours'
        GROUP BY hour ORDER BY hour LIMIT most
    );
    WITH key AS MATERIALIZED (
        SELECT DISTINCT hour, client_id, code FROM job_counts WHERE is_new AND hour = ANY (hours)
    ), of_all AS (
        DELETE FROM job_counts AS count USING key
        WHERE key.client_id IS NULL AND count.client_id IS NULL AND count.hour = key.hour AND count.code = key.code
        RETURNING count.*
    ), of_clients AS (
        DELETE FROM job_counts AS count USING key
        WHERE count.client_id = key.client_id AND count.hour = key.hour AND count.code = key.code
        RETURNING count.*
    )
    INSERT INTO job_counts (hour, client_id, code, total, is_new)
    SELECT hour, client_id, code, sum(total), false FROM (TABLE of_all UNION ALL TABLE of_clients) AS each
    GROUP BY hour, client_id, code HAVING sum(total) <> 0;
    -- A statement of its own, which sees every job whose change was to be added up.
    IF cardinality(hours) > 0 THEN
        PERFORM job_reasons_count(hours);
    ELSE
        PERFORM job_reasons_learn(ARRAY(SELECT DISTINCT hour FROM job_counts WHERE is_new ORDER BY hour LIMIT most));
    END IF;
    RETURN cardinality(hours);
END
$$;
