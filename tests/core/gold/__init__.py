"""Tests of `core/gold/`."""
