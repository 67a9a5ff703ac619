"""Tests of `core/counts/`."""
