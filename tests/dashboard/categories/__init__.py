"""Tests of `dashboard/categories/`."""
