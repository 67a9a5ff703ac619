"""Tests of `core/quality/`."""
