"""Tests of `dashboard/reviews/`."""
