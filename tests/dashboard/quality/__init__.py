"""Tests of `dashboard/quality/`."""
