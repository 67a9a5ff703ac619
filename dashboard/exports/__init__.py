"""The page of exports: `page.py`, and what it alone needs."""
