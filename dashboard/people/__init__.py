"""The page of people: `page.py`, and what it alone needs."""
