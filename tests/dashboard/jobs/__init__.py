"""Tests of `dashboard/jobs/`."""
