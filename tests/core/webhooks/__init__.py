"""Tests of `core/webhooks/`."""
