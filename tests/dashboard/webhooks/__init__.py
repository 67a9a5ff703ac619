"""Tests of `dashboard/webhooks/`."""
