"""Queues that people share, where several pages lead to them: saved, edited, closed, and told in words."""
