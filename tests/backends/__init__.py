"""Tests of pytest_kubelb.backends."""
