"""Functions of PostgreSQL that fill job facts, settle what is unsettled, and add counts up: what upkeep calls."""

from core.facts.code import CODE, COMPLETED, CREATED, LATEST

# How many triggers each table of jobs or logs has: insert, update, delete and truncate, and one for replicas.
_TRIGGERS = 5

FUNCTIONS = (
    # The tables of jobs and logs that hold rows; 0 in place of one that lacks a trigger, or where one is off.
    f"""
CREATE FUNCTION job_facts_relations() RETURNS oid[] LANGUAGE sql STABLE {{path}} AS $$
    SELECT array_agg(
        CASE WHEN {_TRIGGERS} = (
            SELECT count(*) FROM pg_trigger WHERE tgrelid = found AND tgname ^@ 'job_facts_'
                AND tgenabled = CASE tgname WHEN 'job_facts_replica' THEN 'R'
                    WHEN 'job_facts_truncate' THEN 'A' ELSE 'O' END
        ) THEN found ELSE 0::oid END
        ORDER BY found
    )
    FROM unnest(ARRAY['jobs', 'moderation_logs']) AS name CROSS JOIN LATERAL (
        SELECT name::regclass::oid UNION SELECT relid FROM pg_partition_tree(name::regclass)
    ) AS tree (found)
$$""",
    # The facts between two instants, both included, that are missing or are not what the jobs say. One whose times were
    # not written yet is not wrong.
    f"""
CREATE FUNCTION job_facts_find_wrong(first timestamptz, last timestamptz)
RETURNS TABLE (at timestamptz, id uuid, is_missing boolean) LANGUAGE sql STABLE {{path}} AS $$
    SELECT coalesce(fact.created_at, right_one.created_at), coalesce(fact.job_id, right_one.job_id), fact.code IS NULL
    FROM (SELECT * FROM job_facts WHERE created_at BETWEEN first AND last) AS fact
    FULL JOIN (
        SELECT job.created_at, job.job_id, {CODE} AS code, job.client_id, {CREATED} AS created_text,
            {COMPLETED} AS completed_text
        FROM jobs AS job
        {LATEST}
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
$$""",
    # Fills the next day that has jobs, or facts; returns its first instant, or null where nothing is left to be filled.
    """
CREATE FUNCTION job_facts_fill_next() RETURNS timestamptz LANGUAGE plpgsql SECURITY DEFINER {path} AS $$
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
$$""",
    # Settles some of what was noted; returns of how many notes, and null where none is left that could be.
    """
CREATE FUNCTION job_facts_settle_some(most integer) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER {path}
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
$$""",
    # Adds up the counts of some hours that are over, and counts their reasons; returns of how many.
    """
CREATE FUNCTION job_counts_add_up(most integer) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER {path}
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
$$""",
)
