"""Tests of `dashboard/keys/`."""
