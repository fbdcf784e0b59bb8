"""Knobs of a host: profiles of them, read, applied, read back and restored."""
