"""Verdicts of people on jobs, the queues that lead to them, and what they add up to. Nothing here changes a job."""
