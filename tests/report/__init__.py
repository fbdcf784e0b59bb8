"""Tests of what a session shows and writes."""
