"""The page of jobs: `page.py`, and what it alone needs."""
