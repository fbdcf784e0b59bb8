"""Tests of pytest-kubelb."""
