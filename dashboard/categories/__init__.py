"""The page of categories: `page.py`, and what it alone needs."""
