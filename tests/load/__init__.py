"""Tests of wrk's command line and of the readers of its output."""
