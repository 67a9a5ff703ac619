"""Tests of `core/db/`."""
