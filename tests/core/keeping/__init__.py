"""Tests of core/keeping."""
