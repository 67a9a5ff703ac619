"""Samples, where several pages lead to them: `draw_dialog.py` draws one of the jobs that a page shows."""
