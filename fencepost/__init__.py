"""Fencepost as one installed program; the packages themselves know nothing of it."""
