-- What the application's role may do, given by the owner after each `python -m core migrate`: docs/grants.md says why.
GRANT SELECT ON jobs, moderation_logs, job_facts, job_counts, job_facts_unsettled, job_reason_counts, job_reasons TO fencepost_app;
GRANT SELECT, UPDATE ON job_facts_state TO fencepost_app;
GRANT SELECT ON alembic_version, audit_events, erased_jobs TO fencepost_app;
GRANT SELECT, UPDATE ON upkeep_tasks, gold_settings, import_totals TO fencepost_app;
GRANT SELECT, INSERT, UPDATE ON api_keys, exports, people, syncs, noted_reasons, webhook_endpoints, gold_answers, gold_turns, queues TO fencepost_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON sessions, review_drafts, review_claims, webhook_deliveries, rights TO fencepost_app;
GRANT SELECT, INSERT, UPDATE (superseded_at, outdated_by) ON reviews TO fencepost_app;
GRANT SELECT, INSERT, UPDATE (finished_at, people, last_day) ON samples TO fencepost_app;
GRANT SELECT, INSERT ON sample_strata, sample_jobs, review_exports TO fencepost_app;
GRANT SELECT, INSERT, UPDATE (ended_by, ended_at) ON holds TO fencepost_app;
GRANT SELECT, INSERT, UPDATE (earlier_count) ON policies TO fencepost_app;
GRANT EXECUTE ON FUNCTION job_facts_fill_next, job_facts_settle_some, job_counts_add_up TO fencepost_app;
GRANT EXECUTE ON FUNCTION audit_begin, audit_append TO fencepost_app;
