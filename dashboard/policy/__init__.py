"""The page of the policy: `page.py`, and what it alone needs."""
