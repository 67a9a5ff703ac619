"""Tests of `core/audit/`."""
