"""Faults while measuring: each provoked for real on a lab that stands, and what became of the session."""
