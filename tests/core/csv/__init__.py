"""Tests of `core/csv/`."""
