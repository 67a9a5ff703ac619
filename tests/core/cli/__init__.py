"""Tests of `core/cli/`."""
