"""Tests of `dashboard/widgets/`."""
