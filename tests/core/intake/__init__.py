"""Tests of `core/intake/`."""
