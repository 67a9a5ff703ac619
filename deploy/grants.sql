-- What the application's role may do, given by the owner after each `python -m core migrate`: docs/grants.md says why.
GRANT SELECT ON jobs, moderation_logs TO fencepost_app;
GRANT SELECT, INSERT, DELETE ON breakdown_counts, breakdown_changes TO fencepost_app;
GRANT SELECT ON alembic_version, audit_events TO fencepost_app;
GRANT SELECT, INSERT, UPDATE ON api_keys, exports, people, sessions, review_drafts, review_claims, syncs TO fencepost_app;
GRANT SELECT, INSERT, UPDATE (superseded_at) ON reviews TO fencepost_app;
GRANT SELECT, INSERT ON samples, sample_strata, sample_jobs TO fencepost_app;
GRANT EXECUTE ON FUNCTION audit_begin, audit_append TO fencepost_app;
