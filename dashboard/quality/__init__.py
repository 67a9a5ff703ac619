"""The page of quality: what verdicts on samples say of all jobs."""
