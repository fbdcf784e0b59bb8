"""Tests of pytest_kubelb.testbed."""
