"""The page of reviews: `page.py`, and what it alone needs."""
