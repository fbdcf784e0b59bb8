"""Tests of the evidence around a run."""
