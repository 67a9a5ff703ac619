"""Journeys in Chromium, through the real server."""
