"""Tests of `core/check/`."""
