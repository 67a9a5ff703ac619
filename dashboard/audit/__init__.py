"""The page of the audit: `page.py`, and what it alone needs."""
