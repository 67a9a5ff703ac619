"""How many jobs: by day, by outcome, by verdict. Texts of jobs are never read here."""
