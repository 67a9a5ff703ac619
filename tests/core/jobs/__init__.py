"""Tests of `core/jobs/`."""
