"""The page of API keys: `page.py`, and what it alone needs."""
