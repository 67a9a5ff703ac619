"""Tests of `dashboard/keyboard/`."""
