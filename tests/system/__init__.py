"""Whole processes and what stands around them: servers, standbys, shards, deployment, commands."""
