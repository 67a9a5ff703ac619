"""Tests of `dashboard/address/`."""
