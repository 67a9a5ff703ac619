-- The tables of job facts, as jobs_0007 makes them.


CREATE TABLE job_facts (
    created_at timestamptz NOT NULL,
    job_id uuid NOT NULL,
    code smallint NOT NULL,
    client_id text NOT NULL,
    created_text text,
    completed_text text,
    PRIMARY KEY (created_at, job_id) INCLUDE (code)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02);


CREATE INDEX job_facts_code ON job_facts (code, created_at, job_id);


CREATE INDEX job_facts_client ON job_facts (client_id, code, created_at, job_id);


CREATE TABLE job_counts (
    hour timestamptz NOT NULL,
    client_id text,
    code smallint NOT NULL,
    total bigint NOT NULL,
    is_new boolean NOT NULL DEFAULT true
);


CREATE INDEX job_counts_client ON job_counts (client_id, hour, code) INCLUDE (total);


CREATE INDEX job_counts_new ON job_counts (hour) WHERE is_new;


CREATE TABLE job_facts_unsettled (
    note_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id uuid NOT NULL,
    created_at timestamptz,
    gone_by xid8
);


CREATE INDEX job_facts_unsettled_job ON job_facts_unsettled (job_id);


CREATE TABLE job_facts_state (relations oid[] NOT NULL, filled_to timestamptz, is_complete boolean NOT NULL);


INSERT INTO job_facts_state VALUES ('{}', NULL, false);
