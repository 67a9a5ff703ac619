"""Measurements: each a ratio against a named peer, in one run, or a bound on what a server needs."""
