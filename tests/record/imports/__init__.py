"""Tests of the import of logs and tables that others measured; every sample in them is synthetic."""
