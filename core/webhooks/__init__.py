"""Webhooks: what was found out is told to other services, signed, and again until they have it."""
