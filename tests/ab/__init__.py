"""Tests of the same-job A/B."""
