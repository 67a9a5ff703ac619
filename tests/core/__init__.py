"""Tests of `core/`, a folder for each package."""
