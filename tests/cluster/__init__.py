"""Tests of pytest_kubelb.cluster."""
