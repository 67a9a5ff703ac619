-- The tables of reasons, as jobs_0007 makes them where nothing was before, and jobs_0013 elsewhere.


CREATE TABLE job_reason_counts (
    hour timestamptz NOT NULL,
    client_id text,
    reason_hash bigint NOT NULL,
    code smallint NOT NULL,
    total bigint NOT NULL
);


CREATE INDEX job_reason_counts_client ON job_reason_counts (client_id, hour) INCLUDE (reason_hash, code, total);


CREATE INDEX job_reason_counts_hour ON job_reason_counts (hour);


CREATE INDEX job_reason_counts_reason ON job_reason_counts (reason_hash, client_id, hour);


CREATE TABLE job_reasons (
    digest bytea PRIMARY KEY,
    reason_hash bigint NOT NULL,
    prompts bigint[] NOT NULL,
    reason text
);


CREATE INDEX job_reasons_rule ON job_reasons (reason_hash) WHERE reason IS NOT NULL;
