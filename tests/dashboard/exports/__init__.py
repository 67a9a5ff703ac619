"""Tests of `dashboard/exports/`."""
