"""Tests of the record: writing, reading, and what a crash leaves."""
