"""Samples drawn by chance, and what verdicts on them say of all jobs. Nothing here judges a job or shows a text."""
