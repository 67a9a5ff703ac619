"""Tests of `core/export/`."""
