"""The page of what is held and what was erased: `page.py`, and what it alone needs."""
