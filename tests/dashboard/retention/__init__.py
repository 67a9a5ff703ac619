"""Tests of `dashboard/retention/`."""
