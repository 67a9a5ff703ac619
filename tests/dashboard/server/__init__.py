"""Tests of `dashboard/server/`."""
