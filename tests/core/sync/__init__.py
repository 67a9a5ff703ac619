"""Tests of `core/sync/`."""
