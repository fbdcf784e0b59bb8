"""Tests of the embedded lab."""
