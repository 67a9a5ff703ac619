"""Tests of `core/auth/`."""
