-- The triggers of jobs and moderation_logs, as jobs_0007 makes them.


CREATE TRIGGER job_facts_insert AFTER INSERT ON jobs REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION job_facts_of_jobs();


CREATE TRIGGER job_facts_delete AFTER DELETE ON jobs REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION job_facts_of_jobs();


CREATE TRIGGER job_facts_update AFTER UPDATE ON jobs REFERENCING OLD TABLE AS previous NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION job_facts_of_updated_jobs();


CREATE TRIGGER job_facts_truncate BEFORE TRUNCATE ON jobs FOR EACH STATEMENT EXECUTE FUNCTION job_facts_of_emptied_jobs();


ALTER TABLE jobs ENABLE ALWAYS TRIGGER job_facts_truncate;


CREATE TRIGGER job_facts_replica AFTER INSERT OR UPDATE OR DELETE ON jobs FOR EACH ROW EXECUTE FUNCTION job_facts_of_replicated_job();


ALTER TABLE jobs ENABLE REPLICA TRIGGER job_facts_replica;


CREATE TRIGGER job_facts_insert AFTER INSERT ON moderation_logs REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION job_facts_of_logs();


CREATE TRIGGER job_facts_delete AFTER DELETE ON moderation_logs REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION job_facts_of_logs();


CREATE TRIGGER job_facts_update AFTER UPDATE ON moderation_logs REFERENCING OLD TABLE AS previous NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION job_facts_of_updated_logs();


CREATE TRIGGER job_facts_truncate AFTER TRUNCATE ON moderation_logs FOR EACH STATEMENT EXECUTE FUNCTION job_facts_of_emptied_logs();


ALTER TABLE moderation_logs ENABLE ALWAYS TRIGGER job_facts_truncate;


CREATE TRIGGER job_facts_replica AFTER INSERT OR UPDATE OR DELETE ON moderation_logs FOR EACH ROW EXECUTE FUNCTION job_facts_of_replicated_log();


ALTER TABLE moderation_logs ENABLE REPLICA TRIGGER job_facts_replica;
