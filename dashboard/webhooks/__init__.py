"""The page of webhooks: `page.py`, and what it alone needs."""
