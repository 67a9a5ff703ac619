"""Tests of `core/cli/access/`."""
