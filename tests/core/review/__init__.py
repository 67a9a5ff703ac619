"""Tests of `core/review/`."""
