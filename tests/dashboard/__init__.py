"""Tests of `dashboard/`, a folder for each package, without a browser."""
